import { create, toBinary } from '@bufbuild/protobuf'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose'
import { createHash, createHmac, randomUUID } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ListTasksRequestSchema } from '@portcullis/contract'
import { HttpTarget, misbehave, reply } from './fakes/http-target.ts'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { call, startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { startReplica, type Replica } from './harness/replica.ts'

const audience = 'https://api.example'
const listTasks = '/portcullis.v1.HubService/ListTasks'
let issuer: HttpTarget
let instance: TestInstance
let grpc: GrpcClient
let keys: Awaited<ReturnType<typeof generateKeyPair>>
let proofKeys: Awaited<ReturnType<typeof generateKeyPair>>

beforeAll(async () => {
  ;[keys, proofKeys] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256', { extractable: true })])
  issuer = await HttpTarget.start(misbehave.fail)
  instance = await startInstance({
    PORTCULLIS__AUTHORITY__ENABLED: 'true',
    PORTCULLIS__AUTHORITY__ISSUER: issuer.url,
    PORTCULLIS__AUTHORITY__JWKS_URI: `${issuer.url}/keys`,
    PORTCULLIS__AUTHORITY__AUDIENCES: audience,
    PORTCULLIS__AUTHORITY__TENANT: 'main',
    PORTCULLIS__AUTHORITY__ALLOW_PRIVATE: 'true',
    PORTCULLIS__AUTHORITY__PUBLIC_ORIGINS: 'https://portcullis.example',
    PORTCULLIS__AUTHORITY__RESILIENCE__RETRY_DELAYS: Array.from({ length: 10 }, () => '1s').join(','),
    PORTCULLIS__LIMITS__RATE__FAILURES__PER_SECOND: '1000',
    PORTCULLIS__LIMITS__RATE__FAILURES__BURST: '10000',
  })
  grpc = grpcClient(instance.grpc)
})
afterAll(async () => {
  grpc.close()
  await instance.stop()
  await issuer.stop()
})

const claims = (): JWTPayload => ({
  iss: issuer.url,
  aud: audience,
  sub: 'svc-billing',
  client_id: 'billing',
  scope: 'jobs:read tasks:read tasks:write',
  jti: randomUUID(),
  iat: Math.floor(Date.now() / 1000) - 5,
  exp: Math.floor(Date.now() / 1000) + 300,
})

function token(changes: JWTPayload = {}, header: object = {}): Promise<string> {
  return new SignJWT({ ...claims(), ...changes })
    .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one', ...header })
    .sign(keys.privateKey)
}

async function publish(): Promise<void> {
  issuer.always = reply(200, { keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'one', use: 'sig', alg: 'ES256' }] })
}

const list = (text: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  instance.call('HubService/ListTasks', {}, { key: text, headers })

const listOverGrpc = (authorization: string, more: Readonly<Record<string, string | readonly string[]>> = {}) =>
  grpc.call(listTasks, toBinary(ListTasksRequestSchema, create(ListTasksRequestSchema)), { authorization, ...more })

/** The newest entry whose credential or reason has that text. */
async function entryWith(text: string): Promise<Record<string, unknown>> {
  const database = await instance.connect('postgres')
  let body: Record<string, unknown> | undefined
  await expect
    .poll(async () => {
      const { rows } = await database.query<{ entry: string }>(
        `select convert_from(entry, 'UTF8') as entry from audits.entries
          where convert_from(entry, 'UTF8') like '%' || $1 || '%' order by log, seq desc limit 1`,
        [text],
      )
      body = rows[0] && JSON.parse(rows[0].entry).body
      return body !== undefined
    })
    .toBe(true)
  return body ?? {}
}

describe('an issuer that is away', () => {
  it('A4: its tokens are refused with 503 until its keys can be had, and then not any more', async () => {
    const text = await token()
    const away = await list(text)
    expect([away.status, away.body.code]).toEqual([503, 'auth.authority_unavailable'])
    expect(away.headers.get('retry-after')).toBe('1')
    expect(away.headers.get('www-authenticate')).toBeNull()
    // Others are served meanwhile.
    expect((await instance.call('HubService/ListTasks')).status).toBe(200)
    await publish()
    await expect.poll(async () => (await list(text)).status, { timeout: 15_000 }).toBe(200)
  })

  it('A4: known keys go on, an unknown kid is refused, and the age of the keys is a metric', async () => {
    issuer.always = misbehave.closeBeforeReply
    const before = issuer.received.length
    expect((await list(await token())).status).toBe(200)
    const unknown = await Promise.all(
      Array.from({ length: 20 }, async (_, at) => list(await token({}, { kid: `unknown-${at}` }))),
    )
    expect(new Set(unknown.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['401 auth.credential_invalid']),
    )
    expect(issuer.received.length - before).toBeLessThanOrEqual(2)
    const metrics = await (await fetch(`http://${instance.running.ready.management}/metrics`)).text()
    expect(metrics).toMatch(/^portcullis_authority_jwks_age_seconds \d/m)
    await publish()
  })
})

describe('a token of another issuer', () => {
  it('A3: stands for a service of the tenant of its issuer, on either door, and the ledger names it', async () => {
    const jti = randomUUID()
    const text = await token({ jti })
    expect((await list(text)).status).toBe(200)
    expect((await listOverGrpc(`Bearer ${text}`)).code).toBe(0)
    const written = await instance.call('HubService/CreateTask', { title: 'by token' }, { key: text })
    expect(written.status).toBe(200)
    expect(await entryWith(jti)).toMatchObject({
      caller: { id: 'svc-billing', kind: 'service' },
      credential: { id: jti, kind: 'access_token' },
      outcome: 'allow',
    })
  })

  it('A3: without the scopes of its issuer is refused everywhere, with their names, and recorded', async () => {
    const jti = randomUUID()
    const answer = await list(await token({ scope: 'tasks:read', jti }))
    expect([answer.status, answer.body.code, answer.body.detail]).toEqual([403, 'auth.scope_missing', 'jobs:read'])
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer .*error="insufficient_scope".*scope="jobs:read"/)
    expect(await entryWith(jti)).toMatchObject({
      caller: { id: 'svc-billing' },
      outcome: 'deny',
      code: 'auth.scope_missing',
    })
  })

  it('A3: without the scope of the method is refused, and holds no scope that is not known', async () => {
    const answer = await list(await token({ scope: 'jobs:read everything:*' }))
    expect([answer.status, answer.body.detail]).toEqual([403, 'tasks:read'])
  })

  it('G22: is known to the decisions for other services', async () => {
    const ask = async (credential: string, action: string) => {
      const { body } = await instance.call('AuthorizationService/Check', { credential, action })
      return [body.allow, body.code, body.caller]
    }
    expect(await ask(await token(), 'tasks:read')).toEqual([true, '', 'svc-billing'])
    expect(await ask(await token(), 'ledger:read')).toEqual([false, 'auth.scope_missing', 'svc-billing'])
    expect((await ask(`${await token()}A`, 'tasks:read')).slice(0, 2)).toEqual([false, 'auth.credential_invalid'])
  })

  it('A3: may not be sent twice, beside a key, or in the query', async () => {
    const text = await token()
    const url = `${instance.url}${listTasks}`
    const json = { 'content-type': 'application/json' }
    const beside = await fetch(url, {
      method: 'POST',
      headers: { ...json, authorization: `Bearer ${text}`, 'x-portcullis-key': instance.adminKey },
      body: '{}',
    })
    expect([beside.status, beside.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_request"'),
    ])
    const query = await fetch(`${url}?access_token=${text}`, { method: 'POST', headers: json, body: '{}' })
    expect(query.status).toBe(401)
    const twice = await listOverGrpc(`Bearer ${text}`, { 'x-portcullis-key': instance.adminKey })
    expect(twice.reason).toBe('auth.credential_ambiguous')
  })

  it('A3: that is bad in any way is refused with 401 and the error of its standard, on either door', async () => {
    const now = Math.floor(Date.now() / 1000)
    const pem = JSON.stringify(await exportJWK(keys.publicKey))
    const good = await token()
    const [head = '', body = '', signature = ''] = good.split('.')
    const forged = `${Buffer.from('{"alg":"HS256","typ":"at+jwt","kid":"one"}').toString('base64url')}.${body}`
    const stranger = await generateKeyPair('ES256')
    const bad: Readonly<Record<string, string>> = {
      'alg none': new UnsecuredJWT(claims()).encode() + 'AA',
      'HS256 with the public key': `${forged}.${createHmac('sha256', pem).update(forged).digest('base64url')}`,
      'a key of its own': await new SignJWT(claims())
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'one', jwk: await exportJWK(stranger.publicKey) })
        .sign(stranger.privateKey),
      'padded base64': `${head}.${body}=.${signature}`,
      'sloppy base64': `${head}.${body}.${signature.slice(0, -1)}${signature.endsWith('A') ? 'B' : 'A'}`,
      'aud as number': await token({ aud: 7 as unknown as string }),
      'another aud': await token({ aud: 'https://other.example' }),
      'another issuer': await token({ iss: 'https://evil.example' }),
      'expired by a second': await token({ exp: now - 1, iat: now - 60 }),
      'exp 0': await token({ exp: 0 }),
      'not yet good': await token({ nbf: now + 3600 }),
      'an ID token': await token({ nonce: 'n' }, { typ: 'JWT' }),
      'no kid': await token({}, { kid: undefined }),
    }
    for (const [what, text] of Object.entries(bad)) {
      const { status, body: problem, headers } = await list(text)
      expect([what, status, problem.code]).toEqual([what, 401, 'auth.credential_invalid'])
      expect(headers.get('www-authenticate'), what).toContain('error="invalid_token"')
      expect((await listOverGrpc(`Bearer ${text}`)).reason, what).toBe('auth.credential_invalid')
    }
    expect(await entryWith('its kid is none of its issuer')).toMatchObject({
      outcome: 'deny',
      code: 'auth.credential_invalid',
    })
  })
})

const bound = async (changes: JWTPayload = {}): Promise<string> =>
  token({ cnf: { jkt: await calculateJwkThumbprint(await exportJWK(proofKeys.publicKey)) }, ...changes })

async function proof(text: string, url: string, changes: JWTPayload = {}): Promise<string> {
  const ath = createHash('sha256').update(text).digest('base64url')
  return new SignJWT({ htm: 'POST', htu: url, jti: randomUUID(), ath, ...changes })
    .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(proofKeys.publicKey) })
    .setIssuedAt()
    .sign(proofKeys.privateKey)
}

describe('a token that is bound to a key', () => {
  const send = async (text: string, dpop: string, scheme = 'DPoP'): Promise<Answer> =>
    instance.call('HubService/ListTasks', {}, { headers: { authorization: `${scheme} ${text}`, dpop }, key: undefined })

  it('G3: counts with a proof of that key for this request, on either door, as the same caller', async () => {
    const jti = randomUUID()
    const text = await bound({ jti })
    expect((await send(text, await proof(text, `${instance.url}${listTasks}`))).status).toBe(200)
    expect((await send(text, await proof(text, `https://portcullis.example${listTasks}`))).status).toBe(200)
    const overGrpc = await listOverGrpc(`DPoP ${text}`, {
      dpop: await proof(text, `http://${instance.grpc}${listTasks}`),
    })
    expect(overGrpc.code).toBe(0)
    expect(await entryWith(jti)).toMatchObject({
      caller: { id: 'svc-billing', kind: 'service' },
      credential: { id: jti, kind: 'dpop_access_token' },
    })
  })

  it('G3: a proof counts once, whichever door it comes through', async () => {
    const text = await bound()
    const dpop = await proof(text, `${instance.url}${listTasks}`)
    expect((await send(text, dpop)).status).toBe(200)
    const again = await send(text, dpop)
    expect([again.status, again.body.code]).toEqual([401, 'auth.proof_invalid'])
    expect(again.headers.get('www-authenticate')).toMatch(/DPoP .*error="invalid_dpop_proof".*algs="ES256 RS256 PS256"/)
    expect(await entryWith('proof: it was used before')).toMatchObject({
      outcome: 'deny',
      caller: { id: 'svc-billing' },
    })
  })

  it('G3: of many uses of one proof at the same time one is let in', async () => {
    const text = await bound()
    const dpop = await proof(text, `${instance.url}${listTasks}`)
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(text, dpop)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(9).fill(401)])
  })

  it('G3: is refused as Bearer, without a proof, and with one for another request', async () => {
    const text = await bound()
    const url = `${instance.url}${listTasks}`
    const stranger = await generateKeyPair('ES256', { extractable: true })
    const foreign = await new SignJWT({
      htm: 'POST',
      htu: url,
      jti: '1',
      ath: createHash('sha256').update(text).digest('base64url'),
    })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk: await exportJWK(stranger.publicKey) })
      .setIssuedAt()
      .sign(stranger.privateKey)
    const answers = {
      bearer: await list(text),
      'bearer with a proof': await send(text, await proof(text, url), 'Bearer'),
      'no proof': await instance.call(
        'HubService/ListTasks',
        {},
        { headers: { authorization: `DPoP ${text}` }, key: undefined },
      ),
      'another method': await send(text, await proof(text, url, { htm: 'GET' })),
      'another path': await send(text, await proof(text, `${instance.url}/portcullis.v1.HubService/ListNotes`)),
      'another host': await send(text, await proof(text, `https://evil.example${listTasks}`)),
      'another token': await send(text, await proof(await bound(), url)),
      'another key': await send(text, foreign),
      'no proof at all': await send(text, 'x'),
    }
    for (const [what, { status, body }] of Object.entries(answers))
      expect([what, status, body.code]).toEqual([what, 401, 'auth.proof_invalid'])
  })

  it('G3: neither Host nor a forwarded header makes a proof right', async () => {
    const text = await bound()
    const dpop = await proof(text, `https://evil.example${listTasks}`)
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https', forwarded: 'host=evil.example' }
    const answer = await instance.call(
      'HubService/ListTasks',
      {},
      { headers: { authorization: `DPoP ${text}`, dpop, ...headers }, key: undefined },
    )
    expect(answer.body.code).toBe('auth.proof_invalid')
  })

  it('G3: a proof beside a token that is not bound is a mistake, and is not used up', async () => {
    const text = await token()
    expect((await send(text, await proof(text, `${instance.url}${listTasks}`))).body.code).toBe('auth.proof_invalid')
  })
})

describe('a second replica', () => {
  const settingsOf = (audiences: readonly string[]) => ({
    authority: {
      enabled: true,
      issuer: issuer.url,
      jwksUri: `${issuer.url}/keys`,
      audiences,
      tenant: 'main',
      allowPrivate: true,
      publicOrigins: ['https://portcullis.example'],
    },
  })
  let replica: Replica
  beforeAll(async () => {
    replica = await startReplica(instance, [], settingsOf([audience]))
  })
  afterAll(() => replica.stop())

  it('G3: a proof that races at two replicas counts at one of them', async () => {
    const text = await bound()
    for (let round = 0; round < 5; round += 1) {
      const dpop = await proof(text, `https://portcullis.example${listTasks}`)
      const answers = await Promise.all(
        [instance.url, replica.url, instance.url, replica.url].map((url) =>
          call(url, 'HubService/ListTasks', {}, { headers: { authorization: `DPoP ${text}`, dpop } }),
        ),
      )
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401])
    }
  })

  it('A4: takes over an edit of its settings file without a restart', async () => {
    const text = await token({ aud: 'https://new.example' })
    expect(await replica.post('HubService/ListTasks', text)).toBe(401)
    const file = (await readdir(instance.dir)).find((name) => name.startsWith('replica-')) ?? ''
    const path = join(instance.dir, file)
    const settings = JSON.parse(await readFile(path, 'utf8')) as object
    await writeFile(path, JSON.stringify({ ...settings, ...settingsOf(['https://new.example']) }))
    await expect.poll(() => replica.post('HubService/ListTasks', text), { timeout: 15_000, interval: 200 }).toBe(200)
    expect(await replica.post('HubService/ListTasks', await token())).toBe(401)
  })
})

it('A3: no token is in the ledger or in the database', async () => {
  const text = await token({ jti: 'planted' })
  expect((await list(text)).status).toBe(200)
  expect((await list(`${text}x`)).status).toBe(401)
  const [, , signature = ''] = text.split('.')
  const database = await instance.connect('postgres')
  const { rows } = await database.query(
    `select 1 from audits.entries where convert_from(entry, 'UTF8') like '%' || $1 || '%'`,
    [signature.slice(0, 20)],
  )
  expect(rows).toEqual([])
})
