import { describe, expect, it, onTestFinished } from 'vitest'
import { Outbound } from '#core'
import { HttpTarget, misbehave, reply, type Answer } from '../../../test/fakes/http-target.ts'
import { pair } from '../tokens.fixture.ts'
import { JwksClient, jwksTimes, type JwksEvent, type JwksSettings } from './jwks-client.ts'

const [one, two] = [pair('one'), pair('two')]
const jwks = (...pairs: readonly { readonly jwk: object }[]): Answer =>
  reply(200, { keys: pairs.map(({ jwk }) => jwk) })
const minuteMs = 60_000

interface Bench {
  readonly client: JwksClient
  readonly issuer: HttpTarget
  readonly events: JwksEvent[]
  readonly kinds: () => readonly string[]
  /** Lets the clock go on, and does what is due by then. */
  readonly pass: (ms: number) => Promise<void>
}

async function bench(always: Answer, changes: Partial<JwksSettings> = {}, deadlineMs = 1000): Promise<Bench> {
  const issuer = await HttpTarget.start(always)
  const outbound = new Outbound({ allowPrivate: true, allowHttp: 'own', deadlineMs })
  const events: JwksEvent[] = []
  let nowMs = 0
  let due: { readonly at: number; readonly run: () => void }[] = []
  const exchanges = new Set<Promise<unknown>>()
  const client = new JwksClient(
    {
      issuer: issuer.url,
      jwksUri: `${issuer.url}/jwks`,
      retryDelaysMs: [1000, 2000, 5000],
      offlineToleranceMs: 10 * minuteMs,
      ...changes,
    },
    {
      clock: { monotonic: () => nowMs },
      send: (request, signal) => {
        const exchange = outbound.send(request, signal)
        exchanges.add(exchange)
        return exchange.finally(() => exchanges.delete(exchange))
      },
      tell: (event) => events.push(event),
      later: (delayMs, run) => {
        const timer = { at: nowMs + delayMs, run }
        due.push(timer)
        return () => {
          due = due.filter((each) => each !== timer)
        }
      },
    },
  )
  onTestFinished(async () => {
    client.close()
    await outbound.close()
    await issuer.stop()
  })
  const settled = async (): Promise<void> => {
    // An attempt has several awaits behind its last byte.
    do await new Promise((resolve) => setImmediate(resolve))
    while (exchanges.size > 0)
    for (let at = 0; at < 5; at += 1) await new Promise((resolve) => setImmediate(resolve))
  }
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms
    const now = due.filter(({ at }) => at <= nowMs)
    due = due.filter(({ at }) => at > nowMs)
    for (const { run } of now) run()
    await settled()
  }
  return { client, issuer, events, kinds: () => events.map(({ kind }) => kind), pass }
}

const kidsOf = (client: JwksClient) => [...(client.current()?.keys.keys() ?? [])]

describe('the keys of an issuer', () => {
  it('A4: are had at the first need and again every half minute, and never twice at once', async () => {
    const { client, issuer, pass } = await bench(jwks(one))
    expect(client.current()).toBeUndefined()
    const found = await Promise.all(['one', 'one', 'one'].map((kid) => client.lookFor(kid)))
    expect(found.every((set) => set?.keys.has('one') === true)).toBe(true)
    expect(issuer.received).toHaveLength(1)
    expect(issuer.received[0]?.headers.accept).toBe('application/json')
    await pass(29_000)
    expect(kidsOf(client)).toEqual(['one'])
    expect(issuer.received).toHaveLength(1)
    await pass(2000)
    client.look()
    await pass(0)
    expect(issuer.received).toHaveLength(2)
    expect(client.ageSeconds()).toBe(0)
  })

  it('A4: stay the same set while they are the same', async () => {
    const { client, issuer, pass } = await bench(jwks(one))
    const first = await client.lookFor('one')
    await pass(31_000)
    client.look()
    await pass(0)
    expect(issuer.received).toHaveLength(2)
    expect(client.current()).toBe(first)
    issuer.always = jwks(two)
    await pass(31_000)
    client.look()
    await pass(0)
    expect(kidsOf(client)).toEqual(['two'])
  })

  it('A4: a storm of unknown kids costs one fetch in a cooldown, and a new key is found at the next', async () => {
    const { client, issuer, pass } = await bench(jwks(one))
    await client.lookFor('one')
    const storm = () => Promise.all(Array.from({ length: 1000 }, (_, at) => client.lookFor(`unknown-${at}`)))
    await storm()
    expect(issuer.received).toHaveLength(1)
    issuer.always = jwks(one, two)
    expect((await client.lookFor('two'))?.keys.has('two')).toBe(false)
    await pass(jwksTimes.cooldownMs)
    const found = await client.lookFor('two')
    expect(found?.keys.has('two')).toBe(true)
    await storm()
    expect(issuer.received).toHaveLength(2)
  })

  it('A4: are tried again after 1, 2 and 5 seconds, which callers do not wait for; then after a cooldown', async () => {
    const { client, issuer, pass, kinds, events } = await bench(misbehave.fail)
    expect(await client.lookFor('one')).toBeUndefined()
    expect(issuer.received).toHaveLength(1)
    // Nobody starts anything beside the ladder.
    expect(await client.lookFor('one')).toBeUndefined()
    for (const [waitMs, attempts] of [
      [999, 1],
      [1, 2],
      [1999, 2],
      [1, 3],
      [4999, 3],
      [1, 4],
    ] as const) {
      expect(kinds()).toEqual([])
      await pass(waitMs)
      expect(issuer.received).toHaveLength(attempts)
    }
    expect(events).toMatchObject([{ kind: 'failed', attempts: 4, ageSeconds: undefined }])
    await pass(jwksTimes.cooldownMs - 1)
    expect(await client.lookFor('one')).toBeUndefined()
    expect(issuer.received).toHaveLength(4)
    issuer.always = jwks(one)
    await pass(1)
    expect((await client.lookFor('one'))?.keys.has('one')).toBe(true)
    expect(kinds()).toEqual(['failed', 'back'])
  })

  it('A4: without retries there is one attempt, and the same event each time', async () => {
    const { client, issuer, pass, events } = await bench(misbehave.fail, { retryDelaysMs: [] })
    for (const attempts of [1, 2, 3]) {
      await client.lookFor('one')
      expect(issuer.received).toHaveLength(attempts)
      await pass(jwksTimes.cooldownMs)
    }
    expect(events).toHaveLength(3)
    for (const event of events) expect(event).toEqual({ ...events[0], error: expect.any(Error) })
  })

  it('A4: last for the tolerance while the issuer is away, are refused after it, and come back by themselves', async () => {
    const { client, issuer, pass, kinds, events } = await bench(jwks(one), { retryDelaysMs: [] })
    await client.lookFor('one')
    issuer.always = misbehave.closeBeforeReply
    for (let minute = 1; minute <= 10; minute += 1) {
      await pass(minuteMs)
      expect(kidsOf(client), `minute ${minute}`).toEqual(['one'])
      // One that was never there is looked for, and is not there.
      expect((await client.lookFor('two'))?.keys.has('two')).toBe(false)
    }
    await pass(1)
    expect(client.current()).toBeUndefined()
    expect(await client.lookFor('one')).toBeUndefined()
    expect(client.ageSeconds()).toBeCloseTo(600, 0)
    expect(kinds().filter((kind) => kind === 'too_old')).toHaveLength(1)
    expect(events.find(({ kind }) => kind === 'failed')).toMatchObject({ ageSeconds: 60 })
    issuer.always = jwks(one)
    await pass(jwksTimes.cooldownMs)
    client.look()
    await pass(0)
    expect(kidsOf(client)).toEqual(['one'])
    expect(kinds().at(-1)).toBe('back')
  })

  it('A4: are not asked for all the time while the copy is good, and more often once it is not', async () => {
    const { client, issuer, pass } = await bench(jwks(one), { retryDelaysMs: [] })
    await client.lookFor('one')
    issuer.always = misbehave.fail
    const looks = async (seconds: number): Promise<number> => {
      const before = issuer.received.length
      for (let second = 0; second < seconds; second += 1) {
        client.look()
        await pass(1000)
      }
      return issuer.received.length - before
    }
    await looks(31)
    expect(await looks(300)).toBe(10)
    await looks(300)
    expect(client.current()).toBeUndefined()
    expect(await looks(300)).toBeGreaterThanOrEqual(25)
  })

  it('A4: do not outlive their freshness where the offline copy is not allowed', async () => {
    const { client, issuer, pass } = await bench(jwks(one), { offlineToleranceMs: undefined, retryDelaysMs: [] })
    await client.lookFor('one')
    issuer.always = misbehave.fail
    await pass(jwksTimes.freshMs)
    expect(kidsOf(client)).toEqual(['one'])
    await pass(1)
    expect(client.current()).toBeUndefined()
  })

  it('A4: are those of the last good answer, whatever the issuer says in between', async () => {
    const { client, issuer, pass } = await bench(jwks(one), { retryDelaysMs: [] })
    await client.lookFor('one')
    for (const answer of [
      misbehave.lie,
      misbehave.redirect,
      misbehave.endless,
      misbehave.closeMidReply,
      reply(200, '{"keys":7}'),
      reply(200, { keys: [7] }),
      reply(200, { keys: Array.from({ length: 101 }, () => one.jwk) }),
      reply(404, { keys: [two.jwk] }),
      reply(204),
    ]) {
      issuer.always = answer
      await pass(31_000)
      client.look()
      await pass(0)
      expect(kidsOf(client)).toEqual(['one'])
    }
    expect(issuer.received).toHaveLength(10)
  })
})

describe('an issuer that misbehaves', () => {
  it.each<readonly [string, Answer, RegExp]>([
    ['a redirect', misbehave.redirect, /answered 307; redirects are not followed/],
    ['a status', misbehave.fail, /answered 500/],
    ['a page', misbehave.lie, /not JSON/],
    ['an answer without end', misbehave.endless, /larger than 1 MiB/],
    ['half an answer', misbehave.closeMidReply, /ended early/],
    ['other JSON', reply(200, { keys: {} }), /no set of at most 100 keys/],
    ['silence', misbehave.hang, /deadline/],
  ])('A4: %s is told as what it is', async (_, answer, why) => {
    const { client, events } = await bench(answer, { retryDelaysMs: [] }, 200)
    expect(await client.lookFor('one')).toBeUndefined()
    expect(events).toMatchObject([{ kind: 'failed', error: { message: expect.stringMatching(why) } }])
  })

  it('A4: of a set of 100 MB little more than the first MiB is read', async () => {
    let sent = 0
    const { client, events } = await bench(
      (response) => {
        response.writeHead(200, { 'content-length': String(100 * 1024 * 1024) })
        const chunk = Buffer.alloc(64 * 1024, 0x20)
        const more = (): void => {
          if (response.destroyed || sent >= 100 * 1024 * 1024) return
          sent += chunk.length
          response.write(chunk, (error) => (error ? undefined : more()))
        }
        more()
      },
      { retryDelaysMs: [] },
    )
    await client.lookFor('one')
    expect(events).toMatchObject([{ kind: 'failed', error: { message: expect.stringMatching(/1 MiB/) } }])
    expect(sent).toBeLessThan(20 * 1024 * 1024)
  })

  it('A4: an address that may not be called is not called', async () => {
    const target = await HttpTarget.start(jwks(one))
    onTestFinished(() => target.stop())
    const outbound = new Outbound({ allowPrivate: false, allowHttp: false, deadlineMs: 1000 })
    const events: JwksEvent[] = []
    const client = new JwksClient(
      { issuer: target.url, jwksUri: target.url, retryDelaysMs: [], offlineToleranceMs: 1000 },
      {
        clock: { monotonic: () => 0 },
        send: (request, signal) => outbound.send(request, signal),
        tell: (event) => events.push(event),
        later: () => () => undefined,
      },
    )
    expect(await client.lookFor('one')).toBeUndefined()
    expect(events).toMatchObject([{ kind: 'failed', error: { message: expect.stringMatching(/https/) } }])
    expect(target.received).toEqual([])
  })
})

describe('discovery', () => {
  const answers =
    (routes: Readonly<Record<string, Answer>>): Answer =>
    (response, request) =>
      (routes[request.url] ?? reply(404))(response, request)

  it('A4: the metadata say where the keys are, once an hour', async () => {
    const { client, issuer, pass } = await bench(reply(404), { jwksUri: undefined })
    const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
    issuer.always = answers({ '/.well-known/openid-configuration': reply(200, metadata), '/keys': jwks(one) })
    await client.lookFor('one')
    expect(kidsOf(client)).toEqual(['one'])
    await pass(31_000)
    client.look()
    await pass(0)
    expect(issuer.received.map(({ url }) => url)).toEqual(['/.well-known/openid-configuration', '/keys', '/keys'])
  })

  it('A4: metadata of RFC 8414 do where there are none of OpenID', async () => {
    const { client, issuer } = await bench(reply(404), { jwksUri: undefined })
    const metadata = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` }
    issuer.always = answers({ '/.well-known/oauth-authorization-server': reply(200, metadata), '/keys': jwks(one) })
    await client.lookFor('one')
    expect(kidsOf(client)).toEqual(['one'])
  })

  it('A4: metadata of another issuer, and keys in a place that may not be called, are refused', async () => {
    const { client, issuer, events, pass } = await bench(reply(404), { jwksUri: undefined, retryDelaysMs: [] })
    const wellKnown = '/.well-known/openid-configuration'
    issuer.always = answers({ [wellKnown]: reply(200, { issuer: `${issuer.url}/`, jwks_uri: `${issuer.url}/keys` }) })
    expect(await client.lookFor('one')).toBeUndefined()
    const metadata = { issuer: issuer.url, jwks_uri: 'http://169.254.169.254/latest/meta-data' }
    issuer.always = answers({ [wellKnown]: reply(200, metadata) })
    await pass(jwksTimes.cooldownMs)
    expect(await client.lookFor('one')).toBeUndefined()
    expect(events.map((event) => event.kind === 'failed' && event.error.message)).toEqual([
      expect.stringMatching(/another issuer/),
      expect.stringMatching(/metadata|link-local/),
    ])
    expect(issuer.received).toHaveLength(2)
  })
})
