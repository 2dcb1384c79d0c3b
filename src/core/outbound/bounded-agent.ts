import type * as Http from 'node:http'
import type * as Https from 'node:https'
import type { Socket } from 'node:net'
import { parseIp } from '../net.ts'
import { addressProblem } from './address-rules.ts'
import { guardedLookup, RefusedAddress } from './guarded-lookup.ts'
import { replyBytesMax, type OutboundSettings } from './outbound.ts'

/**
 * The bounds of {@link Outbound} for a library that brings its own HTTP: where it connects to, how much it reads, and for how long.
 * One exchange for each connection, so that these are bounds of an exchange.
 */
export async function boundedAgent(
  protocol: string,
  { allowPrivate, deadlineMs, resolve }: Pick<OutboundSettings, 'allowPrivate' | 'deadlineMs' | 'resolve'>,
): Promise<Http.Agent | Https.Agent> {
  const { Agent } = await (protocol === 'https:' ? import('node:https') : import('node:http'))
  const agent = new Agent({ keepAlive: false, lookup: guardedLookup({ allowPrivate }, resolve) })
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, done) => {
    const host = options.host ?? ''
    const what = parseIp(host) === undefined ? undefined : addressProblem(host, { allowPrivate })
    if (what !== undefined) throw new RefusedAddress(host, host, what)
    const socket = connect(options, done)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the agents of Node make sockets
    return socket && bounded(socket as Socket, deadlineMs)
  }
  return agent
}

function bounded(socket: Socket, deadlineMs: number): Socket {
  let read = 0
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read > replyBytesMax) socket.destroy(new Error('its reply does not end: more than 1 MiB was not read'))
  })
  const late = setTimeout(() => socket.destroy(new Error('the deadline passed')), deadlineMs)
  late.unref()
  socket.on('close', () => clearTimeout(late))
  return socket
}
