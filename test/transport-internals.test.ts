import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { connect } from 'node:net'
import { join } from 'node:path'
import {
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  status,
  type ServerInterceptor,
} from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  connectionOf,
  interceptOwnStatus,
  makeServer,
  registeredPaths,
  serveUnknown,
} from '../src/server/grpc/transport.ts'
import type { OnFault } from '../src/server/transport-faults.ts'
import { callRaw, connectRaw, frame, goawayOfRapidReset, resetRapidly } from './harness/raw-http2.ts'

const limits = {
  recvBytes: 1024,
  sendBytes: 2048,
  streams: 7,
  headerPairs: 20,
  headerBytes: 4096,
  resetBurst: 20,
  resetPerSecond: 1,
  requestTimeoutMs: 30_000,
  connectionIdleSeconds: 300,
}
const echo = '/test.Echo/Call'

const closing: (() => void)[] = []
afterEach(() => closing.splice(0).forEach((close) => close()))

/** A server made with these limits, with one method that answers with its request. */
async function serve(
  more: Partial<typeof limits> = {},
  interceptors: readonly ServerInterceptor[] = [],
  onFault?: OnFault,
): Promise<string> {
  const server = makeServer({ ...limits, ...more }, { interceptors: [...interceptors] }, onFault)
  server.register(
    echo,
    (call: { request: Buffer }, done: (error: null, value: Buffer) => void) => done(null, call.request),
    same,
    same,
    'unary',
  )
  serveUnknown(server)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  closing.push(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}

async function connected(address: string): Promise<ClientHttp2Session> {
  const session = await connectRaw(address)
  closing.push(() => session.destroy())
  return session
}

function same(bytes: Buffer): Buffer {
  return bytes
}

function pairs(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-pair-${index}`, 'v']))
}

describe('grpc-js', () => {
  it('G1: is the version that was read, with the private members in their places', () => {
    const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
    expect(dependencies['@grpc/grpc-js']).toMatch(/^\d+\.\d+\.\d+$/)
    const server = new Server({ 'grpc.max_concurrent_streams': 7, 'grpc.enable_channelz': 0 })
    expect(server).toMatchObject({
      channelzEnabled: false,
      commonServerOptions: { settings: { maxConcurrentStreams: 7 } },
    })
    expect(Reflect.get(server, 'handlers')).toBeInstanceOf(Map)
    expect(Reflect.get(server, '_streamHandler')).toBeInstanceOf(Function)
    // It takes the handler from the server when the listener is made, so that an own one is found.
    expect(String(Reflect.get(server, '_setupHandlers'))).toContain('this._streamHandler')
    expect(String(Reflect.get(server, 'createHttp2Server'))).toContain('this._setupHandlers(http2Server')
    server.forceShutdown()
  })

  it('G17: the connection of a call is that of its stream', async () => {
    const ports: unknown[] = []
    const interceptor: ServerInterceptor = (_, call) => {
      ports.push([Reflect.get(connectionOf(call) ?? {}, 'remotePort'), call.getConnectionInfo().remotePort])
      return new ServerInterceptingCall(call)
    }
    const session = await connected(await serve({}, [interceptor]))
    await callRaw(session, echo, {})
    expect(ports).toEqual([[session.socket.localPort, session.socket.localPort]])
    expect(connectionOf({})).toBeUndefined()
  })

  it('G1: tells of the paths that were registered, before unknown ones are served', () => {
    const server = makeServer(limits, {})
    server.register(echo, () => undefined, same, same, 'unary')
    expect([...registeredPaths(server)]).toEqual([echo])
    server.forceShutdown()
  })
})

describe('the options of node:http2', () => {
  it('G1: streams and header size are told to the peer', async () => {
    const session = await connected(await serve())
    expect(session.remoteSettings).toMatchObject({ maxConcurrentStreams: 7, maxHeaderListSize: 4096 })
  })

  it('G1: the count of header pairs is bound, and by our number', async () => {
    const tight = await connected(await serve({ headerPairs: 20 }))
    expect((await callRaw(tight, echo, pairs(10))).code).toBe(0)
    expect((await callRaw(tight, echo, pairs(30))).code).toBeUndefined()
    const wide = await connected(await serve({ headerPairs: 60 }))
    expect((await callRaw(wide, echo, pairs(30))).code).toBe(0)
  })

  it('G1: the reset rate is bound, and by our number', async () => {
    const tight = await connected(await serve({ resetBurst: 20 }))
    expect(await resetRapidly(tight, echo, 200)).toEqual({ goaway: goawayOfRapidReset })
    const wide = await connected(await serve({ resetBurst: 100_000, resetPerSecond: 100_000 }))
    const ended = resetRapidly(wide, echo, 2000)
    expect((await callRaw(wide, echo, {})).code).toBe(0)
    wide.close()
    expect((await ended).goaway).not.toBe(goawayOfRapidReset)
  })

  it('G1: the memory of a connection is bound', () => {
    const server = makeServer(limits, {})
    expect(server).toMatchObject({ commonServerOptions: { maxSessionMemory: 64 } })
    server.forceShutdown()
  })

  it('G1: sizes of messages are bound, both ways', async () => {
    const session = await connected(await serve())
    expect((await callRaw(session, echo, {}, frame(Buffer.alloc(1024)))).code).toBe(0)
    expect((await callRaw(session, echo, {}, frame(Buffer.alloc(1025)))).code).toBe(status.RESOURCE_EXHAUSTED)
    const narrow = await connected(await serve({ sendBytes: 100 }))
    expect((await callRaw(narrow, echo, {}, frame(Buffer.alloc(101)))).code).toBe(status.RESOURCE_EXHAUSTED)
  })
})

describe('what ends below the calls', () => {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  const http2Frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer => {
    const head = Buffer.alloc(9)
    head.writeUIntBE(payload.length, 0, 3)
    head.writeUInt8(type, 3)
    head.writeUInt8(flags, 4)
    head.writeUInt32BE(stream, 5)
    return Buffer.concat([head, payload])
  }
  const settings = http2Frame(4, 0, 0, Buffer.alloc(0))
  const many = (count: number, one: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => one))
  const headersOpen = http2Frame(1, 0, 1, Buffer.from([0x82, 0x84, 0x86]))

  it.each([
    ['bytes that are not HTTP/2', 'preface', Buffer.from('GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')],
    ['a malformed frame', 'protocol', Buffer.concat([preface, settings, http2Frame(0, 0, 0, Buffer.from('x'))])],
    [
      'headers that cannot be decoded',
      'protocol',
      Buffer.concat([preface, settings, http2Frame(1, 4, 1, Buffer.alloc(5, 0xff))]),
    ],
    [
      'a header block without end',
      'continuation',
      Buffer.concat([preface, settings, headersOpen, many(400, http2Frame(9, 0, 1, Buffer.alloc(64)))]),
    ],
    ['settings without end', 'flood', Buffer.concat([preface, many(20_000, settings)])],
  ])('G1: %s are counted as %s, and the connection ends', async (_name, fault, bytes) => {
    const faults: string[] = []
    const address = await serve({}, [], (one) => faults.push(one))
    const [host = '', port = ''] = address.split(':')
    const socket = connect({ host, port: Number(port) })
    socket.on('error', () => undefined)
    const closed = once(socket, 'close')
    socket.resume()
    socket.write(bytes)
    await closed
    await expect.poll(() => faults).toEqual([fault])
  })

  it('G1: resets over the rate and content types that are none of gRPC are counted', async () => {
    const faults: string[] = []
    const address = await serve({ resetBurst: 20 }, [], (one) => faults.push(one))
    const other = await callRaw(await connected(address), echo, { 'content-type': 'text/plain' })
    expect(other.headers[':status']).toBe(415)
    expect(faults).toEqual(['content_type'])
    await resetRapidly(await connected(address), echo, 200)
    await expect.poll(() => faults).toEqual(['content_type', 'protocol'])
  })
})

describe('what passes below the interceptors of grpc-js', () => {
  it('G3: two fields of a credential arrive as two values', async () => {
    const seen: string[][] = []
    const watch: ServerInterceptor = (_method, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, forward) => {
              seen.push(['authorization', 'x-portcullis-key'].flatMap((name) => metadata.get(name).map(String)))
              forward(metadata)
            },
          }),
      })
    const session = await connected(await serve({}, [watch]))
    await callRaw(session, echo, { authorization: ['a', 'b', 'c'] as never })
    await callRaw(session, echo, { 'x-portcullis-key': ['a', 'b'] as never })
    await callRaw(session, echo, { authorization: 'a', 'x-portcullis-key': 'b' })
    expect(seen.map((values) => values.length)).toEqual([2, 2, 2])
  })

  it('G2: an unknown path passes the interceptors, with its path', async () => {
    const paths: string[] = []
    const watch: ServerInterceptor = (method, call) => {
      paths.push(method.path)
      return new ServerInterceptingCall(call)
    }
    const session = await connected(await serve({}, [watch]))
    await callRaw(session, '/nobody.Knows/This', {})
    expect(paths).toEqual(['/nobody.Knows/This'])
  })

  it('C3: a status that grpc-js sends by itself is replaced once, whatever it takes; one of ours passes', async () => {
    const told: string[] = []
    const watch: ServerInterceptor = (_method, call) => {
      const own = interceptOwnStatus(call, async ({ code, details }) => {
        told.push(`${code} ${details.slice(0, 8)}`)
        await new Promise((resolve) => setImmediate(resolve))
        const metadata = new Metadata()
        metadata.set('x-replaced', 'yes')
        return { code: status.DATA_LOSS, details: 'replaced', metadata }
      })
      return new ServerInterceptingCall(call, {
        sendStatus: (value, next) => {
          if (value.metadata !== null && value.metadata !== undefined) own.ours(value.metadata)
          next(value)
        },
      })
    }
    const session = await connected(await serve({}, [watch]))
    const large = await callRaw(session, echo, {}, frame(Buffer.alloc(500_000)))
    expect([large.code, large.details, large.headers['x-replaced']]).toEqual([status.DATA_LOSS, 'replaced', 'yes'])
    expect(told).toEqual(['8 Received'])
    expect((await callRaw(session, echo, {})).code).toBe(0)
  })
})
