import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateFacts } from '#core'
import { makeAuthority, makeCertificate, makeSelfSigned, type TestCertificate } from './harness/certificates.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'

const authority = makeAuthority('Agents')
const servers = makeAuthority('Servers')
const server = makeCertificate(servers, 'server', ['127.0.0.1'])
const scopes = ['telemetry:write']

let folder: string
let instance: TestInstance
let https: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-mtls-tokens-'))
  const files = { 'server.pem': server.cert, 'server.key': server.key, 'agents.pem': authority.cert }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  instance = await startInstance({
    PORTCULLIS__LISTEN__AGENTS_HTTP: '127.0.0.1:0',
    PORTCULLIS__TLS__CERT_FILE: join(folder, 'server.pem'),
    PORTCULLIS__TLS__KEY_FILE: join(folder, 'server.key'),
    PORTCULLIS__TLS__CLIENT_CA_FILE: join(folder, 'agents.pem'),
    PORTCULLIS__TLS__ACCEPT_SELF_SIGNED: 'true',
  })
  https = `https://${instance.running.ready.agentsHttp}`
})
afterAll(async () => {
  await instance.stop()
  await rm(folder, { recursive: true })
})

interface Said {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- a reply of any route
  readonly body: any
}

function post(path: string, { cert, key }: TestCertificate, type: string, body: string, token?: string): Promise<Said> {
  const headers = { 'content-type': type, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
  const { promise, resolve, reject } = Promise.withResolvers<Said>()
  const options = { method: 'POST', agent: false, ca: servers.cert, cert, key, headers }
  const request = httpsRequest(`${https}${path}`, options, (response) => {
    let text = ''
    response.on('data', (chunk: Buffer) => (text += chunk.toString()))
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }))
  })
  request.on('error', reject)
  request.end(body)
  return promise
}

const tokenFor = (clientId: string, certificate: TestCertificate): Promise<Said> => {
  const body = `grant_type=client_credentials&client_id=${clientId}`
  return post('/v1/oauth/token', certificate, 'application/x-www-form-urlencoded', body)
}

const startRun = (certificate: TestCertificate, token: string): Promise<Said> =>
  post('/portcullis.v1.HubService/StartRun', certificate, 'application/json', '{"workflow":"a"}', token)

let apps = 0
async function makeApp(more: object): Promise<{ readonly id: string; readonly agentId: string }> {
  apps += 1
  const agent = await instance.agent(`mtls-tokens-${apps}`, scopes)
  const app = { name: `mtls-${apps}`, agentId: agent.id, scopes, certificateBound: true, ...more }
  const { status, body } = await instance.call('IdentityService/CreateApp', app)
  expect(status, JSON.stringify(body)).toBe(200)
  return { id: body.app.id, agentId: agent.id }
}

const x509 = ({ cert }: TestCertificate): X509Certificate => new X509Certificate(cert)

describe('a client that proves itself by a certificate', () => {
  it('G17: gets a token that is bound to it, good beside that very certificate and nowhere else', async () => {
    const mine = makeCertificate(authority, 'client-1')
    const app = await makeApp({ authMethod: 'CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH', tlsSubjectDn: 'CN=client-1' })
    const { status, body } = await tokenFor(app.id, mine)
    expect(status, JSON.stringify(body)).toBe(200)
    const token: string = body.access_token
    expect(decodeJwt(token)).toMatchObject({ cnf: { 'x5t#S256': certificateFacts(x509(mine)).thumbprint } })

    expect((await startRun(mine, token)).status).toBe(200)
    // The same subject from the same authority is another certificate.
    const twin = makeCertificate(authority, 'client-1')
    expect((await startRun(twin, token)).body.code).toBe('auth.proof_invalid')
    const plain = await instance.call('HubService/StartRun', { workflow: 'a' }, { key: token })
    expect([plain.status, plain.body.code]).toEqual([401, 'auth.proof_invalid'])
  })

  it('A1: of another subject, of itself or of nobody gets none', async () => {
    const app = await makeApp({ authMethod: 'CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH', tlsSubjectDn: 'CN=client-2' })
    for (const wrong of [makeCertificate(authority, 'client-3'), makeSelfSigned('client-2')]) {
      const { status, body } = await tokenFor(app.id, wrong)
      expect([status, body.error]).toEqual([401, 'invalid_client'])
    }
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = `grant_type=client_credentials&client_id=${app.id}`
    const plain = await fetch(`${instance.url}/v1/oauth/token`, { method: 'POST', headers, body })
    expect(plain.status).toBe(401)
  })

  it('A1: one that signed itself is known by what was registered, and by nothing else', async () => {
    const mine = makeSelfSigned('client-4')
    const jwk = { ...x509(mine).publicKey.export({ format: 'jwk' }), x5c: [x509(mine).raw.toString('base64')] }
    const app = await makeApp({
      authMethod: 'CLIENT_AUTH_METHOD_SELF_SIGNED_TLS_CLIENT_AUTH',
      jwksJson: JSON.stringify({ keys: [jwk] }),
    })
    const { status, body } = await tokenFor(app.id, mine)
    expect(status, JSON.stringify(body)).toBe(200)
    expect((await startRun(mine, body.access_token)).status).toBe(200)
    expect((await tokenFor(app.id, makeSelfSigned('client-4'))).status).toBe(401)
  })

  it('G17: its token is ambiguous beside a certificate that is bound to another agent', async () => {
    const mine = makeCertificate(authority, 'client-5')
    const app = await makeApp({ authMethod: 'CLIENT_AUTH_METHOD_TLS_CLIENT_AUTH', tlsSubjectDn: 'CN=client-5' })
    const other = await instance.agent('mtls-other', scopes)
    const binding = { agentId: other.id, certificatePem: mine.cert, scopes }
    await instance.call('IdentityService/BindCertificate', binding)
    const { body } = await tokenFor(app.id, mine)
    expect((await startRun(mine, body.access_token)).body.code).toBe('auth.credential_ambiguous')
  })

  it('A1: the metadata say where such clients are to call', async () => {
    const reply = await fetch(`${instance.url}/.well-known/oauth-authorization-server`)
    expect(await reply.json()).toMatchObject({
      tls_client_certificate_bound_access_tokens: true,
      mtls_endpoint_aliases: { token_endpoint: `${https}/v1/oauth/token` },
    })
  })
})
