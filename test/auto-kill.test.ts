import type { Client } from 'pg'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { startInstance, type Answer, type TestInstance } from './harness/instance.ts'
import { entriesOf } from './harness/replica.ts'
import { startServer, type TestServer } from './harness/server.ts'

const scopes = ['telemetry:write', 'telemetry:read']
const soon = { timeout: 10_000, interval: 30 }
const dollar = 1_000_000_000n
// Of one process: the other one over the same database has none.
const rules = [
  { name: 'notes-denials', on: 'denial_rate', threshold: 0.5, minSamples: 4, mode: 'shadow' },
  { name: 'stops-denials', on: 'denial_rate', scope: 'key', threshold: 0.9, minSamples: 12, mode: 'enforce' },
  { name: 'alerts-spending', on: 'spend_rate', threshold: '2', minSamples: 2, mode: 'warn' },
  {
    name: 'stops-spending',
    on: 'spend_rate',
    threshold: '5.5',
    minSamples: 3,
    mode: 'enforce',
    expiresAfterSeconds: 3,
    windowSeconds: 600,
  },
  { name: 'stops-errors', on: 'error_rate', scope: 'tenant', threshold: 0.8, minSamples: 5, mode: 'enforce' },
]

let instance: TestInstance
let server: TestServer
let admin: Client
beforeAll(async () => {
  instance = await startInstance()
  server = await startServer(instance, {
    kill: { auto: rules },
    limits: { rate: { key: { perSecond: 100_000, burst: 100_000 } } },
  })
  admin = await instance.connect('postgres')
})
afterAll(async () => {
  await server?.stop()
  await instance?.stop()
})

interface Noted {
  readonly kind: string
  readonly outcome: string
  readonly args: Readonly<Record<string, unknown>>
}

/** An agent with a key, made where it is used: another replica would hear of the key a moment later. */
async function agentHere(
  name: string,
  held: readonly string[],
): Promise<{ readonly id: string; readonly key: string; readonly keyId: string }> {
  const asAdmin = { key: instance.adminKey }
  const { body: made } = await server.call('IdentityService/CreateAgent', { name }, asAdmin)
  const { body } = await server.call('IdentityService/CreateKey', { agentId: made.agent.id, scopes: held }, asAdmin)
  return { id: made.agent.id, key: body.key, keyId: body.apiKey.id }
}

const codeOf = ({ status, body }: Answer): string => (status === 200 ? 'ok' : body.code)
const start = (key: string): Promise<Answer> => server.call('HubService/StartRun', { workflow: 'w' }, { key })
const forbidden = (key: string): Promise<Answer> => server.call('IdentityService/ListAgents', {}, { key })

/** What the rules left in a log of one subject, oldest first. */
async function noted(subject: string, log = 'main'): Promise<readonly Noted[]> {
  const bodies: readonly Noted[] = (await entriesOf(instance, log)).map((entry) => JSON.parse(entry).body)
  return bodies.filter(({ kind, args }) => kind.startsWith('kill.auto_') && args['subject'] === subject)
}

/** Kills of one subject that stand in the list, newest first. */
async function killsOf(subject: string): Promise<readonly Answer['body'][]> {
  const { body } = await instance.call('KillService/List', { pageSize: 100 })
  return body.kills.filter(({ scope }: { readonly scope: { readonly id: string } }) => scope.id === subject)
}

async function spend(key: string, runId: string, nanoUsd: bigint): Promise<string> {
  const said = { runId, provider: 'p', model: 'own', outcome: 'success', reportedCostNanoUsd: String(nanoUsd) }
  return codeOf(await server.call('HubService/RecordPromptAttempt', said, { key }))
}

it('K6: shadow notes an agent that is denied a lot, once in a window, and stops nobody', async () => {
  const agent = await agentHere('denied', scopes)
  for (let at = 0; at < 3; at += 1) expect(codeOf(await forbidden(agent.key))).toBe('auth.scope_missing')
  expect(await noted(agent.id)).toEqual([])
  for (let at = 0; at < 3; at += 1) expect(codeOf(await forbidden(agent.key))).toBe('auth.scope_missing')
  await vi.waitFor(async () => expect(await noted(agent.id)).toHaveLength(1), soon)
  expect(codeOf(await start(agent.key))).toBe('ok')
  expect(await noted(agent.id)).toMatchObject([
    { kind: 'kill.auto_shadow', outcome: 'allow', args: { rule: 'notes-denials', hits: 4, samples: 4 } },
  ])
  expect(await killsOf(agent.id)).toEqual([])
})

it('K6, K4: a key that is denied all the time is stopped until an operator releases it, and the other key of its agent is not', async () => {
  const agent = await agentHere('prober', scopes)
  const second = await server.call(
    'IdentityService/CreateKey',
    { agentId: agent.id, scopes },
    { key: instance.adminKey },
  )
  for (let at = 0; at < 12; at += 1) expect(codeOf(await forbidden(agent.key))).toBe('auth.scope_missing')
  await vi.waitFor(async () => expect(codeOf(await start(agent.key))).toBe('kill.engaged'), soon)
  expect(codeOf(await start(second.body.key))).toBe('ok')
  const [kill, ...others] = await killsOf(agent.keyId)
  expect([kill, others]).toMatchObject([
    {
      actor: 'auto:stops-denials',
      reason: 'stops-denials: denial_rate over 12 calls',
      scope: { kind: 'KILL_SCOPE_KIND_KEY' },
    },
    [],
  ])
  expect(await noted(agent.keyId)).toMatchObject([
    { kind: 'kill.auto_engaged', outcome: 'allow', args: { killId: kill.id, mode: 'enforce', rule: 'stops-denials' } },
  ])
  // Nothing that a kill refuses feeds its rule.
  for (let at = 0; at < 12; at += 1) await forbidden(agent.key)
  expect((await instance.call('KillService/Release', { killId: kill.id, reason: 'looked' })).status).toBe(200)
  expect(codeOf(await start(agent.key))).toBe('ok')
  expect([(await killsOf(agent.keyId)).length, (await noted(agent.keyId)).length]).toEqual([1, 1])
})

it('K6, K1, K3: spending raises an alert, then stops the agent, ends its runs, and is over at its time; who goes on is stopped again', async () => {
  const [agent, bystander] = [await agentHere('spender', scopes), await agentHere('bystander', scopes)]
  const runId: string = (await start(agent.key)).body.run.id
  const other: string = (await start(bystander.key)).body.run.id
  expect([await spend(agent.key, runId, dollar), await spend(bystander.key, other, dollar)]).toEqual(['ok', 'ok'])
  expect(await spend(agent.key, runId, dollar)).toBe('ok')
  await vi.waitFor(async () => expect(await noted(agent.id)).toHaveLength(1), soon)
  expect(await noted(agent.id)).toMatchObject([
    { kind: 'kill.auto_alert', args: { rule: 'alerts-spending', nanoUsd: String(2n * dollar), samples: 2 } },
  ])
  expect([await killsOf(agent.id), codeOf(await start(agent.key))]).toEqual([[], 'ok'])
  const askedAt = Date.now()
  expect(await spend(agent.key, runId, (7n * dollar) / 2n)).toBe('ok')
  await vi.waitFor(async () => expect(codeOf(await start(agent.key))).toBe('kill.engaged'), {
    timeout: 2500,
    interval: 5,
  })
  expect([await spend(bystander.key, other, 1n), await killsOf(bystander.id)]).toEqual(['ok', []])
  const [kill] = await killsOf(agent.id)
  expect(kill).toMatchObject({ actor: 'auto:stops-spending', scope: { kind: 'KILL_SCOPE_KIND_AGENT' } })
  const lastsMs = Date.parse(kill.expiresAt) - askedAt
  expect([lastsMs >= 3000, lastsMs < 10_000]).toEqual([true, true])
  expect((await noted(agent.id)).slice(1)).toMatchObject([
    { kind: 'kill.auto_engaged', args: { killId: kill.id, nanoUsd: String((11n * dollar) / 2n), samples: 3 } },
  ])
  await vi.waitFor(async () => {
    const { body } = await instance.call('HubService/GetRun', { runId })
    expect([body.run.status, body.run.lastError]).toEqual(['TASK_STATE_CANCELED', `killed: ${kill.reason}`])
  }, soon)
  await vi.waitFor(async () => expect(codeOf(await start(agent.key))).toBe('ok'), soon)
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(kill.expiresAt))
  // The window still holds what it has spent.
  const again: string = (await start(agent.key)).body.run.id
  expect(await spend(agent.key, again, 1n)).toBe('ok')
  await vi.waitFor(async () => expect(await killsOf(agent.id)).toHaveLength(2), soon)
})

it('K6: calls that fail for a reason of the server stop a tenant, and its operators go on', async () => {
  const { body } = await server.call('TenantService/Create', { name: 'failing' }, { key: instance.adminKey })
  const made = await server.call('IdentityService/CreateAgent', { name: 'unlucky' }, { key: body.key })
  const keys = await server.call(
    'IdentityService/CreateKey',
    { agentId: made.body.agent.id, scopes },
    { key: body.key },
  )
  const list = () => server.call('HubService/ListRuns', {}, { key: keys.body.key })
  await admin.query('revoke select on portcullis.runs from portcullis_app')
  try {
    for (let at = 0; at < 5; at += 1) expect((await list()).status).toBe(500)
  } finally {
    await admin.query('grant select on portcullis.runs to portcullis_app')
  }
  await vi.waitFor(async () => expect(codeOf(await list())).toBe('kill.engaged'), soon)
  expect(await noted(body.tenant.id, 'failing')).toMatchObject([
    { kind: 'kill.auto_engaged', args: { rule: 'stops-errors', hits: 5, samples: 5, scope: 'tenant' } },
  ])
  const own = (method: string, message: object) => server.call(method, message, { key: body.key })
  const [kill] = (await own('KillService/List', {})).body.kills
  expect(kill).toMatchObject({ actor: 'auto:stops-errors', scope: { id: body.tenant.id } })
  expect((await own('KillService/Release', { killId: kill.id, reason: 'mended' })).status).toBe(200)
  await vi.waitFor(async () => expect(codeOf(await list())).toBe('ok'), soon)
})
