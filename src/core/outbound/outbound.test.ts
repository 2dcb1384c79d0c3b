import { gzipSync } from 'node:zlib'
import { request } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../../../test/fakes/certificate.ts'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { addressProblem } from './address-rules.ts'
import { boundedAgent } from './bounded-agent.ts'
import { Outbound, replyBytesMax, type OutboundSettings } from './outbound.ts'
import { parseTarget } from './target.ts'

const strict = { allowPrivate: false, allowHttp: false } as const
const own = { allowPrivate: true, allowHttp: true } as const
const deadlineMs = 20_000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

async function target(...given: Parameters<typeof HttpTarget.start>): Promise<HttpTarget> {
  const started = await HttpTarget.start(...given)
  cleanups.push(() => started.stop())
  return started
}

function outbound(settings: Partial<OutboundSettings> = {}): Outbound {
  const made = new Outbound({ ...own, deadlineMs, ...settings })
  cleanups.push(() => made.close())
  return made
}

describe('addresses', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    '198.18.0.1',
    '240.0.0.1',
    '::1',
    'fc00::1',
    'fd12:3456::1',
    '2001:db8::1',
    'fec0::1',
    '4000::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
    '64:ff9b::10.0.0.1',
    '64:ff9b:1::1',
    '2002:c0a8:101::1',
  ])('O11: %s is for a network of one’s own', (address) => {
    expect(addressProblem(address, { allowPrivate: false })).toBeDefined()
    expect(addressProblem(address, { allowPrivate: true })).toBeUndefined()
  })

  it.each([
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'ff02::1',
    'fd00:ec2::254',
    'fd20:ce::254',
    '2001::1',
    '::ffff:169.254.169.254',
    '64:ff9b::a9fe:a9fe',
    '2002:a9fe:a9fe::1',
    '::a9fe:a9fe',
    'not an address',
    '',
  ])('O11: %s is refused whatever the settings say', (address) => {
    expect(addressProblem(address, { allowPrivate: true })).toMatch(/always/)
    expect(addressProblem(address, { allowPrivate: false })).toMatch(/always/)
  })

  it.each([
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.0.1',
    '100.128.0.1',
    '2606:4700::1',
    '64:ff9b::808:808',
    '2002:808:808::1',
  ])('O11: %s is public', (address) => expect(addressProblem(address, { allowPrivate: false })).toBeUndefined())
})

describe('URLs', () => {
  it.each([
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://0x7f.1/',
    'https://127.0.0.1./',
    'https://１２７.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[0:0:0:0:0:ffff:7f00:0001]/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://x.localhost/',
    'https://10.0.0.1/',
  ])('O11: %s leads into the own network, in whatever form', (url) => {
    expect(() => parseTarget(url, strict)).toThrow(/leads to .*allowPrivate/)
    expect(parseTarget(url, own).protocol).toBe('https:')
  })

  it.each([
    'https://169.254.169.254/',
    'https://2852039166/',
    'https://[fd00:ec2::254]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://0/',
  ])('O11: %s is refused always', (url) => expect(() => parseTarget(url, own)).toThrow(/refused always/))

  it.each([
    ['http://example.com/', /https/],
    ['ftp://example.com/', /https/],
    ['file:///etc/passwd', /https/],
    ['https://user:secret-of-mine@example.com/', /user or password/],
    ['https://example.com/#part', /fragment/],
    ['https:///', /https/],
    ['nonsense', /https/],
    ['', /https/],
  ])('O11: %s is no target', (url, why) => {
    expect(() => parseTarget(url, strict)).toThrow(why)
    expect(() => parseTarget(url, strict)).not.toThrow(/secret-of-mine/)
  })
})

describe('what a name resolves to', () => {
  const at =
    (...addresses: readonly string[]): OutboundSettings['resolve'] =>
    (_host, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )

  it.each([
    [['10.0.0.7'], /own\.example is at 10\.0\.0\.7, a private address/],
    [['127.0.0.1'], /loopback/],
    [['::ffff:127.0.0.1'], /loopback/],
    [['fd00::1'], /unique-local/],
    // One bad address among good ones: which of them would be tried is not left to chance.
    [['192.0.43.8', '192.168.0.1'], /private/],
  ])('O11: %j is refused before anything is sent', async (addresses, why) => {
    const guarded = outbound({ allowPrivate: false, resolve: at(...addresses) })
    await expect(guarded.send({ url: 'http://own.example:9/' })).rejects.toThrow(why)
  })

  it('O11: metadata is refused where private networks are allowed, too', async () => {
    const guarded = outbound({ resolve: at('169.254.169.254') })
    await expect(guarded.send({ url: 'http://metadata.example/' })).rejects.toThrow(/refused always/)
  })

  it('O11: a name is resolved once for a connection, so an answer that changes later changes nothing', async () => {
    const { port } = await target(reply(204))
    let asked = 0
    const guarded = outbound({
      resolve: (_host, done) => {
        asked += 1
        done(null, [{ address: asked === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }])
      },
    })
    expect((await guarded.send({ url: `http://rebinding.example:${port}/` })).status).toBe(204)
    expect(asked).toBe(1)
  })

  it('O11: plain HTTP can be kept to networks of one’s own, by address and by name', async () => {
    const policy = { allowPrivate: true, allowHttp: 'own' } as const
    expect(() => parseTarget('http://192.0.43.8/', policy)).toThrow(/public address: write https/)
    expect(parseTarget('https://192.0.43.8/', policy).protocol).toBe('https:')
    const guarded = outbound({ ...policy, resolve: at('192.0.43.8') })
    await expect(guarded.send({ url: 'http://public.example/' })).rejects.toThrow(
      /192\.0\.43\.8, a public address: write https/,
    )
    const { port } = await target(reply(204))
    expect(
      (await outbound({ ...policy, resolve: at('127.0.0.1') }).send({ url: `http://own.example:${port}/` })).status,
    ).toBe(204)
  })

  it('O11: a name without an address is an error that names it', async () => {
    const guarded = outbound({ resolve: (host, done) => done(new Error(`getaddrinfo ENOTFOUND ${host}`), []) })
    await expect(guarded.send({ url: 'http://nowhere.example/x?secret=1' })).rejects.toThrow(
      /ENOTFOUND nowhere\.example$/,
    )
  })
})

describe('one exchange', () => {
  it('O11: an endless reply is read to 1 MiB and cut', async () => {
    const { url } = await target(misbehave.endless)
    const { status, body, end } = await outbound().send({ url })
    expect({ status, end, bytes: body.length }).toEqual({ status: 200, end: 'cut', bytes: replyBytesMax })
  })

  it('O11: a packed reply stays packed', async () => {
    const bomb = gzipSync(Buffer.alloc(8 * replyBytesMax))
    const { url } = await target((response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb))
    const { body } = await outbound().send({ url })
    expect(body.equals(bomb)).toBe(true)
  })

  it('O11: a redirect is a status like any other', async () => {
    const { url } = await target(misbehave.redirect)
    expect((await outbound().send({ url })).status).toBe(307)
  })

  it('O11: a target that hangs is given up at the deadline, before and in its reply', async () => {
    const { url, next } = await target(misbehave.hang)
    const hurried = outbound({ deadlineMs: 100 })
    await expect(hurried.send({ url })).rejects.toThrow(/deadline/)
    next.push((response) => response.writeHead(200).flushHeaders())
    await expect(hurried.send({ url })).rejects.toThrow(/deadline/)
  })

  it('O11: the caller can give up', async () => {
    const giveUp = new AbortController()
    const { url } = await target(() => giveUp.abort())
    await expect(outbound().send({ url }, giveUp.signal)).rejects.toThrow(/given up/)
  })

  it('O11: a reply that ends early is told as broken, no reply as an error', async () => {
    const { url, next } = await target(misbehave.closeMidReply)
    expect(await outbound().send({ url })).toMatchObject({ status: 200, end: 'broken' })
    next.push(misbehave.closeBeforeReply)
    await expect(outbound().send({ url })).rejects.toThrow()
  })

  it('O11: an upgrade that nobody asked for is an error', async () => {
    const { url } = await target((response) => {
      response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n')
    })
    await expect(outbound().send({ url })).rejects.toThrow()
  })

  it('O11: connections are kept, and one that the target closed meanwhile costs no call', async () => {
    const answering = await target(reply(200, 'fine'))
    const calls = outbound()
    for (let at = 0; at < 3; at += 1) await calls.send({ url: answering.url, body: 'x' })
    expect(answering.connections).toBe(1)
    // The next request on it meets a reset: it is sent again on a new connection.
    answering.next.push((response) => response.socket?.resetAndDestroy())
    expect((await calls.send({ url: answering.url, body: 'again' })).body.toString()).toBe('fine')
    expect(answering.connections).toBe(2)
    expect(answering.received.map(({ body }) => body.toString())).toEqual(['x', 'x', 'x', 'again', 'again'])
  })
})

describe('a library with an HTTP of its own', () => {
  const ask = async (url: string, settings: Partial<Parameters<typeof boundedAgent>[1]> = {}) => {
    const agent = await boundedAgent('http:', { allowPrivate: true, deadlineMs, ...settings })
    return new Promise<number>((resolve, reject) => {
      const outgoing = request(url, { agent }, (response) => {
        let bytes = 0
        response.on('data', (chunk: Buffer) => (bytes += chunk.length))
        response.on('end', () => resolve(bytes))
        response.on('error', () => undefined)
      })
      outgoing.on('error', reject)
      outgoing.end()
    })
  }

  it('O11: has the same bounds through its agent: addresses, bytes and time', async () => {
    const { url, next, port } = await target(reply(200, 'fine'))
    expect(await ask(url)).toBe(4)
    next.push(misbehave.endless, misbehave.hang)
    await expect(ask(url)).rejects.toThrow(/more than 1 MiB/)
    await expect(ask(url, { deadlineMs: 100 })).rejects.toThrow(/deadline/)
    await expect(ask(url, { allowPrivate: false })).rejects.toThrow(/127\.0\.0\.1 is a loopback address/)
    await expect(ask('http://169.254.169.254/')).rejects.toThrow(/refused always/)
    const resolve: OutboundSettings['resolve'] = (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }])
    await expect(ask(`http://own.example:${port}/`, { resolve, allowPrivate: false })).rejects.toThrow(
      /own\.example is at/,
    )
    expect(await ask(`http://own.example:${port}/`, { resolve })).toBe(4)
  })
})

describe('TLS', () => {
  const pair = selfSigned('sink.example')

  it('O11: the certificate must be one of the authorities that are named, on every connection', async () => {
    const { url } = await target(reply(200), { tls: pair })
    await expect(outbound({ allowHttp: false }).send({ url })).rejects.toThrow(/self-signed/)
    const trusting = outbound({ allowHttp: false, ca: pair.cert })
    expect((await trusting.send({ url })).status).toBe(200)
    const elsewhere = outbound({
      ca: pair.cert,
      resolve: (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    await expect(elsewhere.send({ url: url.replace('127.0.0.1', 'other.example') })).rejects.toThrow(/altnames/)
  })
})
