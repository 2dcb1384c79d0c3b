import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StartRunRequestSchema } from '@portcullis/contract'
import { grpcClient, type GrpcAnswer } from './harness/grpc.ts'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { entryOf, startServer, type TestServer } from './harness/server.ts'

const token = 'the-token-of-the-hub-of-this-test'
const next = 'the-next-token-of-the-hub-of-this-test'
const metric = 'portcullis_service_token_calls_total'

let instance: TestInstance
let server: TestServer
let agent: Awaited<ReturnType<TestInstance['agent']>>
const inFile = (name: string, text: string): Promise<void> => writeFile(join(instance.dir, name), text, { mode: 0o600 })
const guarded = (mode: string, more: object = {}): object => ({
  serviceTokens: [{ name: 'HubService', mode, tokenFile: 'hub.token', nextTokenFile: 'hub.next', ...more }],
})

beforeAll(async () => {
  instance = await startInstance()
  await inFile('hub.token', `${token}\n`)
  await inFile('hub.next', '')
  // Before the server starts: it knows the key from its first look on.
  agent = await instance.agent('worker', ['telemetry:write'])
  server = await startServer(instance, guarded('allow', { scopes: ['telemetry:write'] }))
})
afterAll(async () => {
  await server.stop()
  await instance.stop()
})

type Headers = Readonly<Record<string, string>>
const body = { workflow: 'guarded' }
const call = (headers: Headers = {}, key: string | undefined = agent.key): Promise<Answer> =>
  server.call('HubService/StartRun', body, { key, headers })
/** Without a credential of its own. */
const bare = (headers: Headers): Promise<Answer> => server.call('HubService/StartRun', body, { headers })

async function overGrpc(metadata: Readonly<Record<string, string | readonly string[]>>): Promise<GrpcAnswer> {
  const client = grpcClient(server.grpc)
  const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, body))
  const answer = await client.call('/portcullis.v1.HubService/StartRun', message, metadata)
  client.close()
  return answer
}

const counted = async (result: string, caller = agent.id): Promise<number> =>
  (await server.metric(metric))[`service=HubService,caller=${caller},result=${result}`] ?? 0

describe('allow', () => {
  it('G9: lets everybody in and counts none, wrong and right by caller, over both doors', async () => {
    const answers = [await call(), await call({ 'x-service-token': 'wrong' }), await call({ 'x-service-token': token })]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    const authorization = `Bearer ${agent.key}`
    const doubled = await overGrpc({ authorization, 'x-service-token': [token, token] })
    const right = await overGrpc({ authorization, 'x-service-token': token })
    expect([doubled.code, right.code]).toEqual([0, 0])
    expect([await counted('none'), await counted('wrong'), await counted('right')]).toEqual([1, 2, 2])
    expect((await bare({ 'x-service-token': 'wrong' })).body.code).toBe('auth.credential_missing')
    expect(await counted('wrong', '(none)')).toBe(1)
  })

  it('G10: the acting person is believed beside the right token only, and recorded beside the caller', async () => {
    const recorded = async (headers: Headers): Promise<unknown> => {
      const answer = await call(headers)
      const entry = await entryOf(instance, answer.headers.get('x-request-id') ?? '')
      expect(entry['caller']).toEqual({ id: agent.id, kind: 'agent' })
      expect(entry['actorColumn'] ?? undefined).toEqual(entry['actor'])
      return entry['actor']
    }
    expect(await recorded({ 'x-service-token': token, 'x-actor-id': 'usr-ada' })).toBe('usr-ada')
    expect(await recorded({ 'x-service-token': 'wrong', 'x-actor-id': 'usr-ada' })).toBeUndefined()
    expect(await recorded({ 'x-actor-id': 'usr-ada' })).toBeUndefined()
    expect(await recorded({ 'x-service-token': token, 'x-actor-id': 'two words' })).toBeUndefined()
    // A person is a pseudonym in the ledger, as everywhere.
    const mail = await recorded({ 'x-service-token': token, 'x-actor-id': 'ada@example.com' })
    expect(mail).toEqual(expect.any(String))
    expect(mail).not.toContain('ada@')
  })

  it('G9, G11: the token alone is a service, of the tenant that it names', async () => {
    const without = await bare({ 'x-service-token': token })
    expect([without.status, without.body.code]).toEqual([400, 'tenant.missing'])
    const nowhere = await bare({ 'x-service-token': token, 'x-tenant-id': 'nowhere' })
    expect([nowhere.status, nowhere.body.code]).toEqual([403, 'tenant.mismatch'])
    const allowed = await bare({ 'x-service-token': token, 'x-tenant-id': 'main', 'x-actor-id': 'usr-bo' })
    expect([allowed.status, allowed.body.run.agentId]).toEqual([200, ''])
    expect(await entryOf(instance, allowed.headers.get('x-request-id') ?? '')).toMatchObject({
      actor: 'usr-bo',
      bypass: false,
      caller: { id: 'service', kind: 'service' },
      credential: { id: 'HubService', kind: 'service_token' },
      scopes: ['telemetry:write'],
    })
    const grpc = await overGrpc({ 'x-service-token': token, 'x-tenant-id': 'main' })
    expect(grpc.code).toBe(0)
    // Not the platform, and nothing that its scopes do not say.
    const headers = { 'x-service-token': token, 'x-tenant-id': 'main' }
    expect((await server.call('HubService/CreateTask', { title: 't' }, { headers })).body.code).toBe(
      'auth.scope_missing',
    )
    expect((await server.call('TenantService/List', {}, { headers })).body.code).toBe('auth.credential_missing')
    expect(await counted('right', 'service')).toBeGreaterThan(1)
  })
})

describe('enforce', () => {
  const refused = async (headers: Headers): Promise<boolean> => {
    const answer = await call(headers)
    if (answer.status === 200) return false
    expect([answer.status, answer.body.code]).toEqual([401, 'auth.service_token_invalid'])
    return true
  }
  const isRefused = (sent: string): Promise<boolean> => refused({ 'x-service-token': sent })

  it('G9, O1: set while the server runs, it refuses everybody without the token, over both doors, and no other service', async () => {
    await server.reload(guarded('enforce'))
    expect([await refused({}), await isRefused('wrong'), await isRefused(token)]).toEqual([true, true, false])
    const grpc = await overGrpc({ authorization: `Bearer ${agent.key}` })
    expect([grpc.code, grpc.reason]).toEqual([16, 'auth.service_token_invalid'])
    expect((await bare({})).body.code).toBe('auth.service_token_invalid')
    expect((await server.call('HubService/GetHealth')).status).toBe(200)
    const other = await server.call('IdentityService/ListAgents', {}, { key: instance.adminKey })
    expect(other.status).toBe(200)
    const answer = await call()
    expect(await entryOf(instance, answer.headers.get('x-request-id') ?? '')).toMatchObject({
      outcome: 'deny',
      code: 'auth.service_token_invalid',
      reason: 'service token of HubService missing',
      caller: { id: agent.id },
    })
  })

  it('G9, S5: two tokens are right during a rotation, and files that change are read again', async () => {
    expect(await isRefused(next)).toBe(true)
    await inFile('hub.next', `${next}\n`)
    await expect.poll(() => isRefused(next), { timeout: 10_000 }).toBe(false)
    expect(await isRefused(token)).toBe(false)
    await inFile('hub.token', `${next}\n`)
    await inFile('hub.next', '')
    await expect.poll(() => isRefused(token), { timeout: 10_000 }).toBe(true)
    expect(await isRefused(next)).toBe(false)
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ entry: Buffer }>(
      `select entry from audits.entries where log = 'system' and action = 'config.changed'`,
    )
    const parts = rows.map(({ entry }) => JSON.parse(entry.toString()).body.args.parts)
    expect(parts).toContainEqual(['serviceTokens'])
  })

  it('G9: clearing the token drops back to allow, which counts absent and present', async () => {
    await inFile('hub.token', '')
    await expect.poll(() => refused({}), { timeout: 10_000 }).toBe(false)
    const before = [await counted('absent'), await counted('present')]
    expect([await refused({}), await isRefused('whatever')]).toEqual([false, false])
    const after = [await counted('absent'), await counted('present')]
    expect(after).toEqual([Number(before[0]) + 1, Number(before[1]) + 1])
    // With nothing to compare, nobody is a service and nobody is believed.
    const alone = await bare({ 'x-service-token': 'whatever', 'x-tenant-id': 'main' })
    expect(alone.body.code).toBe('auth.credential_missing')
  })
})
