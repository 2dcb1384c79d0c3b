import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadConfig, reloadable, type Config } from '#config'
import { isRefusal, Secret, systemClock } from '#core'
import { Gcra, type Call } from '#gate'
import { methods } from '@portcullis/contract'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { pair, signJws } from '../../authority/tokens.fixture.ts'
import { composeTokens, type ComposedTokens } from './compose.ts'

const key = pair('one')
const keys = reply(200, { keys: [key.jwk] })

function settings(text: string): Config {
  const loaded = loadConfig({ text, env: {}, mode: 'up' })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  return loaded.config
}

const authority = (issuer: HttpTarget, more = ''): string =>
  `authority: { enabled: true, issuer: '${issuer.url}', jwksUri: '${issuer.url}/keys', audiences: [us], tenant: main, allowPrivate: true, ${more} }`

function compose(config: Config): { readonly tokens: ComposedTokens; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const log = pino(
    { level: 'info' },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const tokens = composeTokens({
    config,
    clock: systemClock,
    log,
    apps: { find: () => undefined },
    operators: { find: () => undefined },
    denials: { denied: () => false },
    tenants: { tenant: (name) => ({ id: 'ten_1', name }) },
    services: new Set(),
    singleUse: { take: () => Promise.resolve(true) },
    buckets: { calls: new Gcra({ perSecond: 10, burst: 10 }) },
    own: undefined,
  })
  onTestFinished(() => tokens.close())
  return { tokens, lines }
}

async function issuerWith(answer: Parameters<typeof HttpTarget.start>[0]): Promise<HttpTarget> {
  const issuer = await HttpTarget.start(answer)
  onTestFinished(() => issuer.stop())
  return issuer
}

function tokenOf(issuer: HttpTarget, changes: object = {}): string {
  const iat = Math.floor(Date.now() / 1000)
  const claims = { iss: issuer.url, aud: 'us', sub: 'svc', client_id: 'c', iat, exp: iat + 60, jti: 'j', ...changes }
  return signJws({ alg: 'ES256', typ: 'at+jwt', kid: 'one' }, claims, key.privateKey)
}

async function verdict({ prepare }: ComposedTokens, text: string): Promise<string> {
  const method = methods.get('/portcullis.v1.HubService/ListTasks')
  if (method === undefined) throw new Error('the method is in the contract')
  const credentials = [{ kind: 'access_token', text: new Secret(text) }] as const
  const call: Call = { method, credentials, remote: '', requestId: '', tenantId: undefined }
  const { token } = prepare.known(call) ?? (await prepare.prepare(call))
  if (token === undefined) return 'not looked at'
  return isRefusal(token) ? token.code : `of ${token.subject}`
}

describe('settings that change while the server runs', () => {
  it('A4: another issuer counts from then on, and the one before does not any more', async () => {
    const [first, second] = [await issuerWith(keys), await issuerWith(keys)]
    const before = settings(authority(first))
    const { tokens } = compose(before)
    const text = tokenOf(first)
    expect(await verdict(tokens, text)).toBe('of svc')
    const after = settings(authority(second))
    const { apply, needRestart } = reloadable(before, after)
    expect(needRestart).toEqual([])
    tokens.configure(apply)
    expect(await verdict(tokens, text)).toBe('auth.credential_invalid')
    expect(await verdict(tokens, tokenOf(second))).toBe('of svc')
    tokens.configure(reloadable(after, settings('env: development')).apply)
    expect(await verdict(tokens, tokenOf(second))).toBe('auth.credential_invalid')
    expect(tokens.jwksAgeSeconds()).toBeUndefined()
  })

  it('A4: keys stay where only rules changed, and verdicts do not', async () => {
    const issuer = await issuerWith(keys)
    const before = settings(authority(issuer))
    const { tokens } = compose(before)
    const text = tokenOf(issuer)
    expect(await verdict(tokens, text)).toBe('of svc')
    tokens.configure(reloadable(before, settings(authority(issuer, 'algorithms: [RS256]'))).apply)
    expect(await verdict(tokens, text)).toBe('auth.credential_invalid')
    expect(issuer.received).toHaveLength(1)
  })
})

it('A4: an issuer that is away is told in the log, once for a round, and when it is back', async () => {
  const issuer = await issuerWith(misbehave.fail)
  const { tokens, lines } = compose(settings(authority(issuer, 'resilience: { retryDelays: [100ms] }')))
  expect(await verdict(tokens, tokenOf(issuer))).toBe('auth.authority_unavailable')
  await expect.poll(() => lines.map(({ event }) => event)).toEqual(['authority.jwks_failed'])
  expect(lines[0]).toMatchObject({
    level: 40,
    issuer: issuer.url,
    attempts: 2,
    err: { message: 'the issuer answered 500' },
  })
})

it('A3: without an issuer, a tenant or an audience no token is anybody', async () => {
  const { tokens } = compose(settings('env: development'))
  const issuer = await issuerWith(keys)
  expect(await verdict(tokens, tokenOf(issuer))).toBe('auth.credential_invalid')
  expect(issuer.received).toEqual([])
})
