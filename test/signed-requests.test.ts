import { createHash, createHmac, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { httpbis } from 'http-message-signatures'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { CreateKeyRequestSchema, StartRunRequestSchema } from '@portcullis/contract'
import { masterKeyFile } from '../src/server/key-files.ts'
import { embeddedHome } from '../src/server/embedded/index.ts'
import { grpcClient, type GrpcAnswer, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { entriesOf, startReplica, type Replica } from './harness/replica.ts'

let instance: TestInstance
let replica: Replica
let grpc: GrpcClient
let agent: { readonly id: string; readonly key: string; readonly keyId: string }
let signer: Signer
/** The operator's key that demands signatures. */
let strict: string
let operatorSigner: Signer

interface Signer {
  readonly id: string
  readonly sign: (base: string) => Buffer
}

const startRun = '/portcullis.v1.HubService/StartRun'
const createKey = '/portcullis.v1.IdentityService/CreateKey'
const ed25519 = (id: string, privateKey: KeyObject): Signer => ({
  id,
  sign: (base) => sign(null, Buffer.from(base), privateKey),
})

async function makeSigner(agentId: string | undefined): Promise<Signer> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' })
  const { body } = await instance.call('IdentityService/CreateSigningKey', { agentId, publicKeyPem })
  return ed25519(body.signingKey.id, privateKey)
}

async function makeHmacSigner(agentId: string): Promise<Signer> {
  const request = { agentId, algorithm: 'HMAC_SHA256' }
  const { body } = await instance.call('IdentityService/CreateSigningKey', request)
  const secret = Buffer.from(body.secret, 'base64url')
  expect(secret).toHaveLength(32)
  return { id: body.signingKey.id, sign: (base) => createHmac('sha256', secret).update(base).digest() }
}

beforeAll(async () => {
  instance = await startInstance({
    PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '100000',
    PORTCULLIS__LIMITS__RATE__KEY__BURST: '100000',
  })
  const keyFile = masterKeyFile(embeddedHome(instance.dir).home)
  replica = await startReplica(instance, [], { secrets: { keyFile } })
  grpc = grpcClient(instance.grpc)
  agent = await instance.agent('signs', ['telemetry:write', 'tasks:read'])
  signer = await makeSigner(agent.id)
  operatorSigner = await makeSigner(undefined)
  // An admin's own key, changed to demand signatures: operators' keys are made outside of the API.
  const made = await instance.call('IdentityService/ListKeys', {})
  const own = made.body.keys.find((key: { readonly agentId: string }) => key.agentId === '').id
  const rotated = await instance.call('IdentityService/RotateKey', { keyId: own, graceSeconds: 86_400 })
  strict = rotated.body.key
  const admin = await instance.connect('postgres')
  await admin.query(
    `update portcullis.keys set require_signature = true, changed_xid = pg_current_xact_id() where id = $1`,
    [rotated.body.apiKey.id.slice(4)],
  )
  await vi.waitFor(async () => {
    const { body } = await instance.call('IdentityService/DisableAgent', {}, { key: strict })
    expect(body.code).toBe('auth.signature_invalid')
  })
})
afterAll(async () => {
  grpc.close()
  await replica.stop()
  await instance.stop()
})

interface Signed {
  readonly by?: Signer
  readonly covered?: readonly string[]
  readonly created?: number
  readonly nonce?: string | undefined
  readonly more?: string
}

/** Signs by RFC 9421 and nothing of ours: the text of section 2.5, made by hand. */
function signatureOf(path: string, body: Uint8Array, how: Signed = {}): Record<string, string> {
  const { by = signer, covered = ['@method', '@path', 'content-digest'], more = '' } = how
  const { created = Math.floor(Date.now() / 1000) } = how
  const nonce = 'nonce' in how ? how.nonce : randomUUID()
  const digest = `sha-256=:${createHash('sha256').update(body).digest('base64')}:`
  const values: Readonly<Record<string, string>> = { '@method': 'POST', '@path': path, 'content-digest': digest }
  const list = covered.map((name) => `"${name}"`).join(' ')
  const parameters = `(${list});created=${created}${nonce === undefined ? '' : `;nonce="${nonce}"`};keyid="${by.id}"${more}`
  const base = [...covered.map((name) => `"${name}": ${values[name]}`), `"@signature-params": ${parameters}`].join('\n')
  return {
    'content-digest': digest,
    'signature-input': `sig1=${parameters}`,
    signature: `sig1=:${by.sign(base).toString('base64')}:`,
  }
}

const message = { workflow: 'signed' }
const json = Buffer.from(JSON.stringify(message))
const binary = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, message))

interface Sent {
  readonly key?: string
  readonly body?: object
  readonly method?: string
}

const overJson = (
  headers: Record<string, string>,
  { key = agent.key, body = message, method = 'HubService/StartRun' }: Sent = {},
) => instance.call(method, body, { key, headers })

async function overBinary(headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(`${instance.url}${startRun}`, {
    method: 'POST',
    headers: { 'content-type': 'application/proto', authorization: `Bearer ${agent.key}`, ...headers },
    body: binary,
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const body = response.ok ? {} : JSON.parse(bytes.toString())
  return { status: response.status, headers: response.headers, body }
}

const overGrpc = (headers: Record<string, string>, path = startRun, bytes = binary): Promise<GrpcAnswer> =>
  grpc.call(path, bytes, { authorization: `Bearer ${agent.key}`, ...headers })

/** What the last entry of that method says. */
async function lastEntry(action: string): Promise<Record<string, unknown>> {
  const bodies = (await entriesOf(instance, 'main')).map((entry) => JSON.parse(entry).body)
  return bodies.findLast(({ method }) => method === action) ?? {}
}

describe('a signed request', () => {
  it('G16: is let in over JSON, binary and gRPC alike, and its entry says which key signed', async () => {
    expect((await overJson(signatureOf(startRun, json))).status).toBe(200)
    expect((await overBinary(signatureOf(startRun, binary))).status).toBe(200)
    expect((await overGrpc(signatureOf(startRun, binary))).code).toBe(0)
    expect(await lastEntry(startRun)).toMatchObject({
      caller: { id: agent.id, kind: 'agent' },
      credential: { id: agent.keyId, kind: 'signed_api_key', signedBy: signer.id },
      outcome: 'allow',
    })
    expect((await overJson({})).status).toBe(200)
    expect((await lastEntry(startRun))['credential']).toStrictEqual({ id: agent.keyId, kind: 'api_key' })
  })

  it('G16: made by http-message-signatures is let in', async () => {
    const url = `${instance.url}${startRun}`
    const digest = signatureOf(startRun, json)['content-digest'] ?? ''
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${agent.key}`,
      'content-digest': digest,
    }
    const signed = await httpbis.signMessage(
      {
        key: { id: signer.id, alg: 'ed25519', sign: async (base) => signer.sign(base.toString()) },
        fields: ['@method', '@path', '@authority', 'content-digest', 'content-type', 'authorization'],
        params: ['created', 'expires', 'keyid', 'alg', 'nonce'],
        paramValues: { nonce: randomUUID(), expires: new Date(Date.now() + 30_000) },
      },
      { method: 'POST', url, headers },
    )
    const fields = Object.entries(signed.headers).map(([name, value]) => [name, [value].flat().join(', ')] as const)
    expect(
      (await fetch(url, { method: 'POST', headers: [...fields].map(([n, v]) => [n, v]), body: json })).status,
    ).toBe(200)
  })

  it('G16: by an HMAC secret, which only its envelope keeps', async () => {
    const hmac = await makeHmacSigner(agent.id)
    expect((await overJson(signatureOf(startRun, json, { by: hmac }))).status).toBe(200)
    expect((await overJson(signatureOf(startRun, json, { by: hmac, more: ';alg="hmac-sha256"' }))).status).toBe(200)
    const admin = await instance.connect('postgres')
    const { rows } = await admin.query('select kind, name from portcullis.secrets where kind = $1', ['signing_key'])
    expect(rows).toContainEqual({ kind: 'signing_key', name: hmac.id.slice(4) })
    const { body } = await instance.call('IdentityService/RevokeSigningKey', { signingKeyId: hmac.id })
    expect(body.signingKey.revokedAt).toEqual(expect.any(String))
    const left = await admin.query('select from portcullis.secrets where name = $1', [hmac.id.slice(4)])
    expect(left.rowCount).toBe(0)
    expect((await overJson(signatureOf(startRun, json, { by: hmac }))).body.code).toBe('auth.signature_invalid')
  })

  it('G16: with another body, path or digest is refused at every door, and recorded', async () => {
    const other = signatureOf(startRun, Buffer.from('{"workflow":"other"}'))
    const elsewhere = signatureOf('/portcullis.v1.HubService/FinishRun', json)
    for (const headers of [
      other,
      elsewhere,
      { ...signatureOf(startRun, json), 'content-digest': other['content-digest'] ?? '' },
    ]) {
      const { status, body } = await overJson(headers)
      expect([status, body.code]).toEqual([401, 'auth.signature_invalid'])
      const answer = await overGrpc(headers)
      expect([answer.code, answer.reason]).toEqual([16, 'auth.signature_invalid'])
      expect((await overBinary(headers)).status).toBe(401)
    }
    expect(await lastEntry(startRun)).toMatchObject({
      caller: { id: agent.id },
      code: 'auth.signature_invalid',
      credential: { id: agent.keyId, kind: 'api_key' },
      outcome: 'deny',
    })
  })

  it('G16: is refused where anything about it is wrong', async () => {
    const stranger = await instance.agent('stranger', ['telemetry:write'])
    const theirs = await makeSigner(stranger.id)
    const { privateKey } = generateKeyPairSync('ed25519')
    const now = Math.floor(Date.now() / 1000)
    const wrong: readonly (readonly [string, Record<string, string>])[] = [
      ['a key that is not registered', signatureOf(startRun, json, { by: ed25519(`sgk_${randomUUID()}`, privateKey) })],
      ['the key of another agent', signatureOf(startRun, json, { by: theirs })],
      ['the key of an operator', signatureOf(startRun, json, { by: operatorSigner })],
      ['another private key', signatureOf(startRun, json, { by: ed25519(signer.id, privateKey) })],
      ['another algorithm', signatureOf(startRun, json, { more: ';alg="hmac-sha256"' })],
      ['no nonce', signatureOf(startRun, json, { nonce: undefined })],
      ['too old', signatureOf(startRun, json, { created: now - 65 })],
      ['from the future', signatureOf(startRun, json, { created: now + 65 })],
      ['expired', signatureOf(startRun, json, { more: `;expires=${now - 1}` })],
      ['without the path', signatureOf(startRun, json, { covered: ['@method', 'content-digest'] })],
      ['without its input', { ...signatureOf(startRun, json), 'signature-input': '' }],
    ]
    for (const [why, headers] of wrong) {
      const [over, inGrpc] = [await overJson(headers), await overGrpc(headers)]
      expect([why, over.body.code, inGrpc.reason]).toEqual([why, 'auth.signature_invalid', 'auth.signature_invalid'])
    }
  })

  it('G16: counts once, whatever replica sees it first', async () => {
    const headers = signatureOf(startRun, json)
    expect((await overJson(headers)).status).toBe(200)
    expect((await overJson(headers)).body.code).toBe('auth.signature_invalid')
    const many = Array.from({ length: 10 }, () => signatureOf(startRun, json))
    const answers = await Promise.all(
      many.flatMap((each) =>
        [instance.url, replica.url].map(async (url) => {
          const sent = { 'content-type': 'application/json', authorization: `Bearer ${agent.key}`, ...each }
          return (await fetch(`${url}${startRun}`, { method: 'POST', headers: sent, body: json })).status
        }),
      ),
    )
    expect(answers.filter((status) => status === 200)).toHaveLength(10)
    expect(answers.filter((status) => status === 401)).toHaveLength(10)
  })

  it('G16: of a public read, which looks at no credential, is not looked at either', async () => {
    const { status } = await instance.call(
      'HubService/GetHealth',
      {},
      { headers: signatureOf('/', json, { nonce: undefined }) },
    )
    expect(status).toBe(200)
  })

  it('G16: to the alias of a method is verified with its query', async () => {
    const reader = await instance.agent('reads-entries', ['ledger:read'])
    const by = await makeSigner(reader.id)
    const get = (query: string, headers: Record<string, string>): Promise<Response> =>
      fetch(`${instance.url}/v1/audit${query}`, { headers: { authorization: `Bearer ${reader.key}`, ...headers } })
    const empty = Buffer.alloc(0)
    const digest = `sha-256=:${createHash('sha256').update(empty).digest('base64')}:`
    const signed = (query: string): Record<string, string> => {
      const covered = ['@method', '@path', '@query', 'content-digest']
      const parameters = `(${covered.map((name) => `"${name}"`).join(' ')});created=${Math.floor(Date.now() / 1000)};nonce="${randomUUID()}";keyid="${by.id}"`
      const lines = ['"@method": GET', '"@path": /v1/audit', `"@query": ${query || '?'}`, `"content-digest": ${digest}`]
      const base = [...lines, `"@signature-params": ${parameters}`].join('\n')
      return {
        'content-digest': digest,
        'signature-input': `s=${parameters}`,
        signature: `s=:${by.sign(base).toString('base64')}:`,
      }
    }
    expect((await get('?page_size=1', signed('?page_size=1'))).status).toBe(200)
    expect((await get('', signed(''))).status).toBe(200)
    expect((await get('?page_size=2', signed('?page_size=1'))).status).toBe(401)
    expect((await get('?page_size=1', signatureOf('/v1/audit', empty, { by }))).status).toBe(401)
  })
})

describe('a key that demands signatures', () => {
  it('G16: is refused at methods of high risk without one, and let in at others', async () => {
    const agentId = agent.id
    const asked = { agentId, scopes: ['tasks:read'] }
    const refused = await overJson({}, { key: strict, body: asked, method: 'IdentityService/CreateKey' })
    expect([refused.status, refused.body.code]).toEqual([401, 'auth.signature_invalid'])
    const bytes = toBinary(CreateKeyRequestSchema, create(CreateKeyRequestSchema, asked))
    const inGrpc = await overGrpc({ authorization: `Bearer ${strict}` }, createKey, bytes)
    expect(inGrpc.reason).toBe('auth.signature_invalid')
    expect((await overJson({}, { key: strict, body: {}, method: 'IdentityService/ListKeys' })).status).toBe(200)
    const signed = signatureOf(createKey, Buffer.from(JSON.stringify(asked)), { by: operatorSigner })
    expect((await overJson(signed, { key: strict, body: asked, method: 'IdentityService/CreateKey' })).status).toBe(200)
    const headers = { authorization: `Bearer ${strict}`, ...signatureOf(createKey, bytes, { by: operatorSigner }) }
    expect((await overGrpc(headers, createKey, bytes)).code).toBe(0)
    expect((await lastEntry(createKey))['credential']).toMatchObject({
      kind: 'signed_api_key',
      signedBy: operatorSigner.id,
    })
  })

  it('G16: hands its demand on when it is rotated, and says so in lists', async () => {
    const made = { agentId: agent.id, scopes: ['tasks:read'], requireSignature: true }
    const { body: first } = await instance.call('IdentityService/CreateKey', made)
    expect(first.apiKey.requireSignature).toBe(true)
    const { body: next } = await instance.call('IdentityService/RotateKey', {
      keyId: first.apiKey.id,
      graceSeconds: 60,
    })
    expect(next.apiKey.requireSignature).toBe(true)
  })
})

describe('signing keys', () => {
  it('G16: are revoked within a second, on every replica', async () => {
    const by = await makeSigner(agent.id)
    const at = (url: string): Promise<Response> =>
      fetch(`${url}${startRun}`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${agent.key}`,
          ...signatureOf(startRun, json, { by }),
        },
        body: json,
      })
    await expect.poll(async () => (await at(replica.url)).status, { timeout: 1000 }).toBe(200)
    await instance.call('IdentityService/RevokeSigningKey', { signingKeyId: by.id })
    expect((await at(instance.url)).status).toBe(401)
    await expect.poll(async () => (await at(replica.url)).status, { timeout: 1000, interval: 20 }).toBe(401)
  })

  it('G16: are listed with what is public of them', async () => {
    const { body } = await instance.call('IdentityService/ListSigningKeys', { agentId: agent.id })
    const found = body.signingKeys.find((key: { readonly id: string }) => key.id === signer.id)
    expect(found).toMatchObject({ agentId: agent.id, algorithm: 'SIGNATURE_ALGORITHM_ED25519' })
    expect(found.publicKeyPem).toMatch(/^-----BEGIN PUBLIC KEY-----\n/)
    const all = await instance.call('IdentityService/ListSigningKeys')
    expect(all.body.signingKeys.some((key: { readonly agentId: string }) => key.agentId === '')).toBe(true)
  })

  it.each([
    ['no key', {}],
    ['a text', { publicKeyPem: 'not a key' }],
    [
      'an RSA key',
      {
        publicKeyPem: generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({
          type: 'spki',
          format: 'pem',
        }),
      },
    ],
    [
      'a private key',
      { publicKeyPem: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    ],
    ['a public key for HMAC', { algorithm: 'HMAC_SHA256', publicKeyPem: 'x' }],
    ['an algorithm that is none', { algorithm: 9 }],
  ])('G16: are refused with %s', async (_, more) => {
    const { status, body } = await instance.call('IdentityService/CreateSigningKey', { agentId: agent.id, ...more })
    expect([status, body.code]).toEqual([400, 'input.invalid'])
  })

  it('G16: of an agent that is disabled, or not there, are refused; and agents register none', async () => {
    const gone = await instance.agent('gone', ['identity:write'])
    const { publicKey } = generateKeyPairSync('ed25519')
    const publicKeyPem = publicKey.export({ type: 'spki', format: 'pem' })
    const codeOf = async (agentId: string, key = instance.adminKey): Promise<unknown> =>
      (await instance.call('IdentityService/CreateSigningKey', { agentId, publicKeyPem }, { key })).body.code
    expect(await codeOf(gone.id, gone.key)).toBe('identity.scope_exceeds')
    await instance.call('IdentityService/DisableAgent', { agentId: gone.id })
    expect(await codeOf(gone.id)).toBe('object.state')
    expect(await codeOf('agt_01890a5d-ac96-774b-bcce-b302099a8057')).toBe('object.not_found')
  })

  it('G16: a replay of their creation shows no secret', async () => {
    const body = { agentId: agent.id, algorithm: 'HMAC_SHA256', idempotencyKey: randomUUID() }
    const [first, again] = [
      await instance.call('IdentityService/CreateSigningKey', body),
      await instance.call('IdentityService/CreateSigningKey', body),
    ]
    expect(first.body.secret).toMatch(/^[\w-]{43}$/)
    expect([again.body.secret, again.body.signingKey.id]).toEqual(['', first.body.signingKey.id])
    expect((await entriesOf(instance, 'main')).join()).not.toContain(first.body.secret)
  })
})
