import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { entriesOf, startReplica, type Replica } from './harness/replica.ts'

let instance: TestInstance
let replica: Replica
beforeAll(async () => {
  instance = await startInstance()
  replica = await startReplica(instance, [])
})
afterAll(async () => {
  await replica.stop()
  await instance.stop()
})

const startRun = async (key: string, workflow = 'rotation'): Promise<number> =>
  (await instance.call('HubService/StartRun', { workflow }, { key })).status
const rotate = (body: object, key = instance.adminKey): Promise<Answer> =>
  instance.call('IdentityService/RotateKey', body, { key })

describe('a key that is rotated', () => {
  it('G5: goes on working beside the new one until its grace ends, by itself, on every replica; both are audited by their own ids', async () => {
    const agent = await instance.agent('rotates', ['telemetry:write'])
    const { status, body } = await rotate({ keyId: agent.keyId, graceSeconds: 2 })
    expect(status).toBe(200)
    expect(body.apiKey).toMatchObject({ agentId: agent.id, scopes: ['telemetry:write'], replacedByKeyId: '' })
    expect(body.oldKey).toMatchObject({ id: agent.keyId, replacedByKeyId: body.apiKey.id })
    expect([await startRun(agent.key), await startRun(body.key)]).toEqual([200, 200])
    const used = (await entriesOf(instance, 'main'))
      .map((entry) => JSON.parse(entry).body)
      .filter(({ caller, method }) => caller?.id === agent.id && method.endsWith('/StartRun'))
    expect(used.map(({ credential }) => credential.id)).toEqual([agent.keyId, body.apiKey.id])
    const post = (key: string): Promise<number> => replica.post('HubService/StartRun', key, { workflow: 'rotation' })
    await expect.poll(() => post(body.key), { timeout: 1000 }).toBe(200)
    await expect.poll(() => post(agent.key), { timeout: 5000 }).toBe(401)
    expect([await startRun(agent.key), await startRun(body.key)]).toEqual([401, 200])
    const { body: list } = await instance.call('IdentityService/ListKeys', { agentId: agent.id })
    expect(list.keys.map((one: { readonly id: string }) => one.id)).toEqual([body.apiKey.id, agent.keyId])
  })

  it('G5: without a grace ends within a second everywhere', async () => {
    const agent = await instance.agent('ends', ['telemetry:write'])
    const { body } = await rotate({ keyId: agent.keyId })
    expect([await startRun(agent.key), await startRun(body.key)]).toEqual([401, 200])
    await expect.poll(() => replica.post('HubService/StartRun', agent.key), { timeout: 1000, interval: 20 }).toBe(401)
  })

  it('G5: is refused a second time, once revoked, with a grace that is none, or unknown', async () => {
    const agent = await instance.agent('refused', ['telemetry:write'])
    const [first, second] = [
      await rotate({ keyId: agent.keyId, graceSeconds: 60 }),
      await rotate({ keyId: agent.keyId }),
    ]
    expect([first.status, second.status, second.body.code]).toEqual([200, 412, 'object.state'])
    expect(second.body.detail).toContain('rotated already')
    await instance.call('IdentityService/RevokeKey', { keyId: first.body.apiKey.id })
    expect((await rotate({ keyId: first.body.apiKey.id })).body.code).toBe('object.state')
    for (const graceSeconds of [-1, 30 * 86_400 + 1])
      expect((await rotate({ keyId: agent.keyId, graceSeconds })).body.code).toBe('input.invalid')
    expect((await rotate({ keyId: agent.keyId, expiresAt: '2021-01-01T00:00:00Z' })).body.code).toBe('input.invalid')
    expect((await rotate({ keyId: 'key_01890a5d-ac96-774b-bcce-b302099a8057' })).body.code).toBe('object.not_found')
  })

  it('G5: is rotated by operators only', async () => {
    const agent = await instance.agent('self', ['identity:write'])
    expect((await rotate({ keyId: agent.keyId }, agent.key)).body.code).toBe('identity.scope_exceeds')
  })

  it('G5: an operator rotates its own key, and a replay shows no key', async () => {
    const { body } = await instance.call('IdentityService/ListKeys')
    const own = body.keys.find((key: { readonly agentId: string }) => key.agentId === '').id
    const request = { keyId: own, graceSeconds: 600, idempotencyKey: randomUUID() }
    const [first, again] = [await rotate(request), await rotate(request)]
    expect([first.status, again.status, again.body.key]).toEqual([200, 200, ''])
    expect(again.body.apiKey.id).toBe(first.body.apiKey.id)
    expect((await instance.call('IdentityService/ListAgents', {}, { key: first.body.key })).status).toBe(200)
    expect((await entriesOf(instance, 'main')).join()).not.toContain(first.body.key)
  })
})
