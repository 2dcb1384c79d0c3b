import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { httpbis } from 'http-message-signatures'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RecordRunEventRequestSchema } from '@portcullis/contract'
import { makeAuthority, makeCertificate } from './harness/certificates.ts'
import { grpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'

const path = '/portcullis.v1.HubService/RecordRunEvent'
const scopes = ['telemetry:write']
const agents = makeAuthority('Agents')
const servers = makeAuthority('Servers')
const server = makeCertificate(servers, 'server', ['127.0.0.1'])

let folder: string
let instance: TestInstance
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-one-caller-'))
  const files = { 'server.pem': server.cert, 'server.key': server.key, 'agents.pem': agents.cert }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
  instance = await startInstance({
    PORTCULLIS__LISTEN__AGENTS_GRPC: '127.0.0.1:0',
    PORTCULLIS__TLS__CERT_FILE: join(folder, 'server.pem'),
    PORTCULLIS__TLS__KEY_FILE: join(folder, 'server.key'),
    PORTCULLIS__TLS__CLIENT_CA_FILE: join(folder, 'agents.pem'),
  })
})
afterAll(async () => {
  await instance.stop()
  await rm(folder, { recursive: true, force: true })
})

/** A token by client credentials, bound to a key where there is one. */
async function tokenOf(agentId: string, prove?: (url: string) => Promise<string>): Promise<string> {
  const request = { name: `app-${randomUUID()}`, agentId, scopes, dpopBound: prove !== undefined }
  const { body } = await instance.call('IdentityService/CreateApp', request)
  const url = `${instance.url}/v1/oauth/token`
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Basic ${btoa(`${body.app.id}:${body.clientSecret}`)}`,
      'content-type': 'application/x-www-form-urlencoded',
      ...(prove === undefined ? {} : { dpop: await prove(url) }),
    },
    body: 'grant_type=client_credentials',
  })
  const given = JSON.parse(await response.text())
  expect(response.status, JSON.stringify(given)).toBe(200)
  return given.access_token
}

/** A proof by RFC 9449, made by hand. */
function prover({ privateKey, publicKey }: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }) {
  const jwk = publicKey.export({ format: 'jwk' })
  return (url: string, token?: string): Promise<string> => {
    const ath = token === undefined ? {} : { ath: createHash('sha256').update(token).digest('base64url') }
    return new SignJWT({ htm: 'POST', htu: url, jti: randomUUID(), ...ath })
      .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
      .setIssuedAt()
      .sign(privateKey)
  }
}

async function post(body: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const more = { 'content-type': 'application/json', ...headers }
  const response = await fetch(`${instance.url}${path}`, { method: 'POST', headers: more, body })
  return response.status
}

describe('one agent with five credentials', () => {
  it('G3: calls by key, token, bound token, certificate and signed request, and the ledger shows one caller', async () => {
    const agent = await instance.agent('many', scopes)
    const run = await instance.call('HubService/StartRun', { workflow: 'many' }, { key: agent.key })
    const event = { runId: run.body.run.id, eventType: 'step', message: 'done' }
    const body = JSON.stringify(event)

    expect(await post(body, { authorization: `Bearer ${agent.key}` })).toBe(200)

    expect(await post(body, { authorization: `Bearer ${await tokenOf(agent.id)}` })).toBe(200)

    const prove = prover(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
    const bound = await tokenOf(agent.id, prove)
    const dpop = await prove(`${instance.url}${path}`, bound)
    expect(await post(body, { authorization: `DPoP ${bound}`, dpop })).toBe(200)

    const certificate = makeCertificate(agents, 'many')
    const binding = { agentId: agent.id, certificatePem: certificate.cert, scopes }
    expect((await instance.call('IdentityService/BindCertificate', binding)).status).toBe(200)
    const { agentsGrpc } = instance.running.ready
    if (agentsGrpc === undefined || agentsGrpc === null) throw new Error('no listener for agents')
    const client = grpcClient(agentsGrpc, { ca: servers.cert, cert: certificate.cert, key: certificate.key })
    const called = await client.call(
      path,
      toBinary(RecordRunEventRequestSchema, create(RecordRunEventRequestSchema, event)),
    )
    client.close()
    expect([called.code, called.details]).toEqual([0, 'OK'])

    const pair = generateKeyPairSync('ed25519')
    const publicKeyPem = pair.publicKey.export({ type: 'spki', format: 'pem' })
    const made = await instance.call('IdentityService/CreateSigningKey', { agentId: agent.id, publicKeyPem })
    const signed = await httpbis.signMessage(
      {
        key: {
          id: made.body.signingKey.id,
          alg: 'ed25519',
          sign: async (base) => sign(null, Buffer.from(base), pair.privateKey),
        },
        fields: ['@method', '@path', 'content-digest'],
        params: ['created', 'keyid', 'nonce'],
        paramValues: { nonce: randomUUID() },
      },
      {
        method: 'POST',
        url: `${instance.url}${path}`,
        headers: {
          authorization: `Bearer ${agent.key}`,
          'content-digest': `sha-256=:${createHash('sha256').update(body).digest('base64')}:`,
        },
      },
    )
    const fields = Object.entries(signed.headers).map(([name, value]): [string, string] => [
      name,
      [value].flat().join(', '),
    ])
    expect(await post(body, Object.fromEntries(fields))).toBe(200)

    const recorded = await instance.call('LedgerService/Query', { action: path, pageSize: 100 })
    const bodies: readonly { caller: object; credential: { kind: string }; outcome: string }[] = recorded.body.entries
      .map(({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body)
      .toReversed()
    expect(bodies.map(({ credential }) => credential.kind)).toEqual([
      'api_key',
      'access_token',
      'dpop_access_token',
      'client_certificate',
      'signed_api_key',
    ])
    for (const { caller, outcome } of bodies)
      expect([caller, outcome]).toEqual([{ id: agent.id, kind: 'agent' }, 'allow'])
  })
})
