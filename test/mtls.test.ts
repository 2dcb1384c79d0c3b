import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { StartRunRequestSchema } from '@portcullis/contract'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { grpcCodes } from '#core'
import { makeAuthority, makeCertificate, makeSelfSigned, type TestCertificate } from './harness/certificates.ts'
import { grpcClient, type GrpcClient } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'

const authority = makeAuthority('Agents')
const servers = makeAuthority('Servers')
const server = makeCertificate(servers, 'server', ['127.0.0.1'])

let folder: string
let instance: TestInstance
let grpc: string
let https: string
const closing: GrpcClient[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-mtls-'))
  const files = { 'server.pem': server.cert, 'server.key': server.key, 'agents.pem': authority.cert }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  instance = await startInstance({
    PORTCULLIS__LISTEN__AGENTS_GRPC: '127.0.0.1:0',
    PORTCULLIS__LISTEN__AGENTS_HTTP: '127.0.0.1:0',
    PORTCULLIS__TLS__CERT_FILE: join(folder, 'server.pem'),
    PORTCULLIS__TLS__KEY_FILE: join(folder, 'server.key'),
    PORTCULLIS__TLS__CLIENT_CA_FILE: join(folder, 'agents.pem'),
    PORTCULLIS__TLS__ACCEPT_SELF_SIGNED: 'true',
  })
  grpc = instance.running.ready.agentsGrpc ?? expect.fail('no gRPC listener for agents')
  https = instance.running.ready.agentsHttp ?? expect.fail('no HTTPS listener for agents')
})
afterEach(() => closing.splice(0).forEach((client) => client.close()))
afterAll(async () => {
  await instance.stop()
  await rm(folder, { recursive: true })
})

interface Said {
  readonly code: string
  readonly requestId: string
}

interface Carried {
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A call on a connection that the certificate was made for; `cut` where the handshake failed. */
type Caller = (carried?: Carried) => Promise<Said>

function overGrpc(certificate: TestCertificate | undefined): Caller {
  const pair = certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }
  const client = grpcClient(grpc, { ca: servers.cert, ...pair })
  closing.push(client)
  return async ({ key, headers = {} } = {}) => {
    const bytes = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'mtls' }))
    const sent = key === undefined ? headers : { ...headers, authorization: `Bearer ${key}` }
    const answer = await client.call('/portcullis.v1.HubService/StartRun', bytes, sent)
    const cut = answer.code === grpcCodes.unavailable && answer.reason === undefined
    return {
      code: cut ? 'cut' : answer.code === 0 ? 'ok' : (answer.reason ?? ''),
      requestId: answer.metadata['x-request-id'] ?? '',
    }
  }
}

function overHttps(certificate: TestCertificate | undefined): Caller {
  const pair = certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }
  return async ({ key, headers = {} } = {}) =>
    new Promise((resolve) => {
      const request = httpsRequest(
        `https://${https}/portcullis.v1.HubService/StartRun`,
        {
          method: 'POST',
          ca: servers.cert,
          ...pair,
          headers: {
            'content-type': 'application/json',
            ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
            ...headers,
          },
        },
        (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => {
            const { code = '' } = response.statusCode === 200 ? { code: 'ok' } : JSON.parse(text)
            resolve({ code, requestId: String(response.headers['x-request-id']) })
          })
        },
      )
      request.on('error', () => resolve({ code: 'cut', requestId: '' }))
      request.end('{"workflow":"mtls"}')
    })
}

const scopes = ['telemetry:write']

function bind(agentId: string, { cert }: TestCertificate, more: object = {}): Promise<Answer> {
  return instance.call('IdentityService/BindCertificate', { agentId, certificatePem: cert, scopes, ...more })
}

async function boundAgent(name: string, certificate: TestCertificate) {
  const agent = await instance.agent(name, scopes)
  const { body } = await bind(agent.id, certificate)
  return { ...agent, certificateId: body.certificate.id as string }
}

let agents = 0
const unique = (): string => `mtls-${(agents += 1)}`

async function entryOf({ requestId }: Said): Promise<Record<string, unknown>> {
  const { body } = await instance.call('LedgerService/Query', { requestId })
  return JSON.parse(body.entries[0].entryJson).body
}

describe.each([
  ['gRPC', overGrpc],
  ['HTTPS', overHttps],
])('agents over %s', (_, over) => {
  it('G17: a certificate by itself is a credential of its agent, and the ledger says which', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const agent = await boundAgent(unique(), certificate)
    const said = await over(certificate)()
    expect(said.code).toBe('ok')
    expect(await entryOf(said)).toMatchObject({
      outcome: 'allow',
      caller: expect.objectContaining({ id: agent.id }),
    })
    expect(JSON.stringify(await entryOf(said))).toContain(agent.certificateId)
  })

  it('W47: without a certificate, or with one of another authority, there is no connection', async () => {
    const wrong = makeCertificate(makeAuthority('Others'), 'agent')
    const over2 = makeCertificate(authority, 'agent', [], { toSeconds: -1 })
    const { key } = await instance.agent(unique(), scopes)
    for (const one of [undefined, wrong, over2]) expect((await over(one)({ key })).code).toBe('cut')
    const metrics = await (await fetch(`http://${instance.running.ready.management}/metrics`)).text()
    expect(metrics).toMatch(/^portcullis_transport_faults_total\{listener="agents_(grpc|http)",kind="tls"\} [1-9]/m)
  })

  it('G17: a certificate that is bound to nobody opens nothing, and lets a key through', async () => {
    const stranger = makeCertificate(authority, 'agent')
    const call = over(stranger)
    expect((await call()).code).toBe('auth.credential_invalid')
    const { key } = await instance.agent(unique(), scopes)
    expect((await call({ key })).code).toBe('ok')
  })

  it('G17: a key of another agent beside it is ambiguous; one of the same agent is not', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const [mine, other] = [await boundAgent(unique(), certificate), await instance.agent(unique(), scopes)]
    const call = over(certificate)
    expect((await call({ key: mine.key })).code).toBe('ok')
    expect((await call({ key: other.key })).code).toBe('auth.credential_ambiguous')
    expect((await call({ key: instance.adminKey })).code).toBe('auth.credential_ambiguous')
    expect((await call({ headers: { 'x-tenant-id': 'other' } })).code).toBe('tenant.mismatch')
  })

  it('G17: a tenant that binds the certificate of another takes nothing from it', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const { body: other } = await instance.call('TenantService/Create', { name: unique() })
    const asOther = (method: string, message: object): Promise<Answer> =>
      instance.call(`IdentityService/${method}`, message, { key: other.key })
    const { body: made } = await asOther('CreateAgent', { name: 'theirs' })
    const binding = { agentId: made.agent.id, certificatePem: certificate.cert, scopes }
    const { body: theirs } = await asOther('BindCertificate', binding)
    const mine = await boundAgent(unique(), certificate)
    const call = over(certificate)
    expect((await call({ key: mine.key })).code).toBe('ok')
    expect((await call()).code).toBe('tenant.missing')
    const [ours, named] = [
      await call({ headers: { 'x-tenant-id': 'main' } }),
      await call({ headers: { 'x-tenant-id': other.tenant.name } }),
    ]
    expect([ours.code, named.code]).toEqual(['ok', 'ok'])
    expect(await entryOf(ours)).toMatchObject({ caller: { id: mine.id } })
    expect((await call({ headers: { 'x-tenant-id': 'neither' } })).code).toBe('tenant.mismatch')
    await asOther('RevokeCertificate', { certificateId: theirs.certificate.id })
    await vi.waitFor(async () => expect((await call()).code).toBe('ok'), { timeout: 1000 })
  })

  it('G17: one that is revoked is refused on the connection that stands, within a second', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const { certificateId } = await boundAgent(unique(), certificate)
    const call = over(certificate)
    expect((await call()).code).toBe('ok')
    const { status } = await instance.call('IdentityService/RevokeCertificate', { certificateId })
    expect(status).toBe(200)
    await vi.waitFor(async () => expect((await call()).code).toBe('auth.credential_invalid'), { timeout: 1000 })
  })

  it('G17: a disabled agent ends its certificates; an expiry earlier than the certificate counts', async () => {
    const [certificate, short] = [makeCertificate(authority, 'agent'), makeCertificate(authority, 'agent')]
    const { id } = await boundAgent(unique(), certificate)
    const expiresAt = new Date(Date.now() + 1500).toISOString()
    const { body } = await bind(id, short, { expiresAt })
    expect(Date.parse(body.certificate.expiresAt)).toBe(Date.parse(expiresAt))
    const call = over(short)
    expect((await call()).code).toBe('ok')
    await vi.waitFor(async () => expect((await call()).code).toBe('auth.credential_invalid'), { timeout: 5000 })
    expect((await over(certificate)()).code).toBe('ok')
    await instance.call('IdentityService/DisableAgent', { agentId: id })
    await vi.waitFor(async () => expect((await over(certificate)()).code).toBe('auth.credential_invalid'), {
      timeout: 1000,
    })
  })

  it('G17: one that signed itself counts by its thumbprint alone', async () => {
    const [own, twin] = [makeSelfSigned('agent'), makeSelfSigned('agent')]
    await boundAgent(unique(), own)
    expect((await over(own)()).code).toBe('ok')
    expect((await over(twin)()).code).toBe('auth.credential_invalid')
  })

  it('G17: no header makes a certificate', async () => {
    const certificate = makeCertificate(authority, 'agent')
    await boundAgent(unique(), certificate)
    const pem = encodeURIComponent(certificate.cert)
    const headers = { 'x-forwarded-client-cert': `Cert="${pem}"`, 'x-ssl-cert': pem, 'client-cert': `:${pem}:` }
    expect((await over(makeCertificate(authority, 'agent'))({ headers })).code).toBe('auth.credential_invalid')
    const plain = await instance.call('HubService/StartRun', { workflow: 'a' }, { key: undefined, headers })
    expect(plain.body.code).toBe('auth.credential_missing')
  })
})

describe('bindings', () => {
  it('G17: are listed with their end, and never hold the certificate', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const agent = await boundAgent(unique(), certificate)
    const { body } = await instance.call('IdentityService/ListCertificates', { agentId: agent.id })
    expect(body.certificates).toHaveLength(1)
    expect(body.certificates[0]).toMatchObject({
      id: agent.certificateId,
      agentId: agent.id,
      subjectDn: 'CN=agent',
      scopes,
    })
    expect(body.certificates[0].thumbprint).toMatch(/^[\w-]{43}$/)
  })

  it('G17: a certificate is bound once, and again when that is revoked', async () => {
    const certificate = makeCertificate(authority, 'agent')
    const [first, second] = [await boundAgent(unique(), certificate), await instance.agent(unique(), scopes)]
    expect((await bind(second.id, certificate)).body.code).toBe('object.exists')
    await instance.call('IdentityService/RevokeCertificate', { certificateId: first.certificateId })
    expect((await bind(second.id, certificate)).status).toBe(200)
    expect((await overHttps(certificate)()).code).toBe('ok')
  })

  it.each([
    ['no text of a certificate', { certificatePem: 'hello' }, /certificatePem must be one certificate in PEM/],
    ['a private key', { certificatePem: `${makeSelfSigned('a').cert}-----BEGIN PRIVATE KEY-----\n` }, /private key/],
    ['an authority', { certificatePem: authority.cert }, /CA:TRUE/],
    ['an expired one', { certificatePem: makeSelfSigned('a', { toSeconds: -1 }).cert }, /expired at/],
    ['one of tomorrow', { certificatePem: makeSelfSigned('a', { fromSeconds: 60 }).cert }, /not valid before/],
    ['no scopes', { scopes: [] }, /scopes/],
    ['a past end', { expiresAt: '2020-01-01T00:00:00Z' }, /expiresAt must be in the future/],
  ])('G17: refuse %s and say why', async (_, more, why) => {
    const agent = await instance.agent(unique(), scopes)
    const { status, body } = await bind(agent.id, makeSelfSigned('a'), more)
    expect([status, body.code]).toEqual([400, 'input.invalid'])
    expect(body.detail).toMatch(why)
  })

  it('G17: are made by operators, with scopes that they hold themselves', async () => {
    const agent = await instance.agent(unique(), ['identity:write', 'telemetry:write'])
    const body = { agentId: agent.id, certificatePem: makeSelfSigned('a').cert, scopes }
    const refused = await instance.call('IdentityService/BindCertificate', body, { key: agent.key })
    expect(refused.body.code).toBe('identity.scope_exceeds')
    expect((await bind(agent.id, makeSelfSigned('a'), { scopes: ['no:such'] })).body.code).toBe('input.invalid')
  })
})
