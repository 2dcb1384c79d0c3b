import { once } from 'node:events'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis, type ReadyLine } from '../harness/portcullis.ts'
import { expectNothingLost, Load } from './load.ts'

const connections = 300

let dir: string
let server: Portcullis
let ready: ReadyLine
beforeAll(async () => {
  dir = await newFolder()
  server = Portcullis.up(dir, noLimits)
  ready = await server.ready()
})
afterAll(async () => {
  await server.end()
  await new Portcullis(['down', '--dir', dir]).exited
  await removeInstance(dir)
})

async function open(address: string): Promise<Socket> {
  const [host = '', port] = address.split(':')
  const socket = connect(Number(port), host)
  // The server may end it whenever it likes.
  socket.on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function expectServed(load: Load): Promise<void> {
  await load.more(200)
  await load.stop()
  expect([...load.refusals]).toEqual([])
  await expectNothingLost(dir, load)
}

const load = (name: string): Load => new Load(name, ready.adminKey ?? '', () => `http://${ready.http}`, 8)

it('T1: connections that come by the hundreds, and come again, leave those who call served', async () => {
  const calls = load('flood')
  const over = new AbortController()
  const flood = (async () => {
    while (!over.signal.aborted) {
      const sockets = await Promise.all(
        Array.from({ length: connections }, (_, at) => open(at % 2 === 0 ? ready.http : ready.grpc)),
      )
      await delay(50)
      for (const socket of sockets) socket.destroy()
    }
  })()
  await calls.more(300)
  over.abort()
  await flood
  await expectServed(calls)
})

it('T1: clients that send a byte a second, and those that read nothing of what they asked for, leave others served', async () => {
  const slow = await Promise.all(Array.from({ length: connections }, () => open(ready.http)))
  for (const socket of slow) socket.write('POST /portcullis.v1.HubService/StartRun HTTP/1.1\r\nhost: x\r\n')
  const trickle = setInterval(() => slow.forEach((socket) => socket.writable && socket.write('x')), 1000)
  onTestFinished(() => clearInterval(trickle))
  const deaf = await Promise.all(
    Array.from({ length: 20 }, async (): Promise<ClientHttp2Session> => {
      const session = connectHttp2(`http://${ready.grpc}`)
      session.on('error', () => undefined)
      onTestFinished(() => session.destroy())
      await once(session, 'connect')
      return session
    }),
  )
  for (const session of deaf) {
    for (let at = 0; at < 50; at += 1) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/portcullis.v1.HubService/ListRuns',
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${ready.adminKey}`,
      })
      stream.on('error', () => undefined)
      stream.pause()
      stream.end(Buffer.from([0, 0, 0, 0, 0]))
    }
  }
  await expectServed(load('slow'))
})
