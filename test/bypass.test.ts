import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StartRunRequestSchema } from '@portcullis/contract'
import { grpcClient, type GrpcAnswer } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { entryOf, startServer, type TestServer } from './harness/server.ts'

// An old token that happens to have the form of a JWT.
const legacyText = 'an.old.token-with-two-dots'
const others = {
  trustedProxies: ['127.0.0.1/32'],
  legacyToken: { enabled: true, token: legacyText, tenant: 'main', scopes: ['telemetry:write'] },
}
type Agent = Awaited<ReturnType<TestInstance['agent']>>

const network = (cidr: string, scopes: readonly string[]): object => ({
  cidr,
  reason: 'old printers',
  owner: 'ops',
  expires: '2999-12-31',
  tenant: 'main',
  scopes,
})
const bypassNetworks = [network('127.0.0.1/32', ['telemetry:write']), network('198.51.100.0/24', ['telemetry:write'])]

let instance: TestInstance
let server: TestServer
let inside: Agent
let helpdesk: Agent
beforeAll(async () => {
  instance = await startInstance()
  // Before the server starts: it knows them from its first look on.
  inside = await instance.agent('inside', ['telemetry:write'])
  helpdesk = await instance.agent('helpdesk', ['authz:check'])
  server = await startServer(instance, { ...others, authority: { bypassNetworks } })
})
afterAll(async () => {
  await server.stop()
  await instance.stop()
})

const from = (address: string): { headers: Record<string, string> } => ({ headers: { 'x-forwarded-for': address } })
const startRun = (more: object = {}): Promise<Answer> =>
  server.call('HubService/StartRun', { workflow: 'w' }, { ...more })
const entry = (answer: Answer) => entryOf(instance, answer.headers.get('x-request-id') ?? '')

async function overGrpc(metadata: Readonly<Record<string, string>> = {}): Promise<GrpcAnswer> {
  const client = grpcClient(server.grpc)
  const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'w' }))
  const answer = await client.call('/portcullis.v1.HubService/StartRun', message, metadata)
  client.close()
  return answer
}

const audited = async (status: number, bypass: boolean, scopes: string, client: string): Promise<number> => {
  const route = '/portcullis.v1.HubService/StartRun'
  const labels = `route=${route},status=${status},bypass=${bypass},scopes=${scopes},client=${client}`
  return (await server.metric('portcullis_authorization_audit_total'))[labels] ?? 0
}

describe('a bypass network', () => {
  it('G12: is let in without a credential, over both doors, and recorded with bypass', async () => {
    const [http, grpc] = [await startRun(), await overGrpc({ 'x-request-id': 'request-over-grpc' })]
    expect([http.status, grpc.code]).toEqual([200, 0])
    const recorded = {
      bypass: true,
      outcome: 'allow',
      remote: '127.0.0.1',
      caller: { id: 'bypass', kind: 'service' },
      credential: { id: '127.0.0.1/32', kind: 'bypass' },
      scopes: ['telemetry:write'],
    }
    expect(await entry(http)).toMatchObject(recorded)
    expect(await entryOf(instance, 'request-over-grpc')).toMatchObject(recorded)
    expect(await audited(200, true, 'present', 'present')).toBe(2)
  })

  it('G12: is judged by the address that a trusted proxy forwards', async () => {
    const near = await startRun(from('198.51.100.7'))
    expect(await entry(near)).toMatchObject({ credential: { id: '198.51.100.0/24' }, remote: '198.51.100.7' })
    const outside = await startRun(from('203.0.113.9'))
    expect([outside.status, outside.body.code]).toEqual([401, 'auth.credential_missing'])
    expect(await entry(outside)).toMatchObject({ bypass: false, remote: '203.0.113.9' })
  })

  it('G12, J3: never reaches writes of high risk, and a refusal says where it came from', async () => {
    const answer = await server.call('IdentityService/CreateKey', { agentId: 'agt_1', scopes: [] })
    expect([answer.status, answer.body.code]).toEqual([401, 'auth.credential_missing'])
    expect(await entry(answer)).toMatchObject({ bypass: true, outcome: 'deny' })
    const wrong = await startRun({ key: 'wrong' })
    expect([wrong.status, (await entry(wrong))['bypass']]).toEqual([401, true])
    expect(await audited(401, true, '(none)', '(none)')).toBe(1)
    const unscoped = await server.call('HubService/CreateTask', { title: 't' })
    expect([unscoped.status, unscoped.body.code]).toEqual([403, 'auth.scope_missing'])
    expect(await entry(unscoped)).toMatchObject({ bypass: true, caller: { id: 'bypass' } })
  })

  it('G12: a credential decides where there is one', async () => {
    const { id, key } = inside
    expect(await entry(await startRun({ key }))).toMatchObject({ bypass: true, caller: { id, kind: 'agent' } })
    const listed = await server.call('IdentityService/ListAgents', {}, { key: instance.adminKey })
    expect(listed.status).toBe(200)
  })

  it('J3, G12: methods that do not exist are told with it, too', async () => {
    const answer = await server.call('HubService/NoSuchMethod')
    expect([answer.status, answer.body.code]).toEqual([404, 'method.unknown'])
    const labels = 'route=(unknown),status=404,bypass=true,scopes=(none),client=(none)'
    expect((await server.metric('portcullis_authorization_audit_total'))[labels]).toBe(1)
  })

  it('G11, G12: belongs to its tenant', async () => {
    const of = async (tenant: string) => (await startRun({ headers: { 'x-tenant-id': tenant } })).body.code
    expect([await of('main'), await of('other')]).toEqual([undefined, 'tenant.mismatch'])
  })

  it('G22: is nobody that a service can ask about', async () => {
    const asked = { caller: 'bypass', action: 'telemetry:write' }
    expect((await server.call('AuthorizationService/Check', asked, { key: helpdesk.key })).body).toMatchObject({
      allow: false,
      code: 'object.not_found',
    })
  })
})

describe('an old token with two dots', () => {
  it('G8: is the legacy token, over both doors, and another text of that form is a wrong credential', async () => {
    const http = await startRun({ key: legacyText })
    expect(await entry(http)).toMatchObject({ outcome: 'allow', credential: { kind: 'legacy_token', id: 'legacy' } })
    expect((await overGrpc({ authorization: `Bearer ${legacyText}` })).code).toBe(0)
    const wrong = await startRun({ key: `${legacyText}x` })
    expect([wrong.status, wrong.body.code]).toEqual([401, 'auth.credential_invalid'])
  })
})

describe('the anonymous fallback', () => {
  const allowed = async (): Promise<number> => (await startRun(from('203.0.113.20'))).status

  it('G13, O1: is opened and closed while the server runs', async () => {
    expect(await allowed()).toBe(401)
    const anonymous = { tenant: 'main', scopes: ['telemetry:write'], expires: '2999-12-31' }
    await server.reload({ ...others, authority: { allowAnonymousFallback: true, anonymous } })
    const answer = await startRun(from('203.0.113.20'))
    expect(answer.status).toBe(200)
    expect(await entry(answer)).toMatchObject({
      bypass: false,
      caller: { id: 'anonymous', kind: 'service' },
      credential: { id: 'anonymous', kind: 'anonymous' },
    })
    const risky = await server.call('IdentityService/CreateKey', { agentId: 'agt_1' }, from('203.0.113.20'))
    expect(risky.body.code).toBe('auth.credential_missing')
    expect((await startRun({ key: 'wrong', ...from('203.0.113.20') })).body.code).toBe('auth.credential_invalid')
    // The networks went with the same edit.
    expect(await entry(await startRun())).toMatchObject({ bypass: false, caller: { id: 'anonymous' } })
    await server.reload(others)
    expect([await allowed(), (await startRun()).status]).toEqual([401, 401])
  })
})
