import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StartRunRequestSchema } from '@portcullis/contract'
import { up } from '#server'
import { grpcClient } from './harness/grpc.ts'
import { freePorts, removeInstance, startInstance, type TestInstance } from './harness/instance.ts'
import { entriesOf } from './harness/replica.ts'

const base = `
@id("everybody")
permit(principal, action, resource);

@id("no-finish-by-key")
forbid(principal is Portcullis::Agent, action == Portcullis::Action::"portcullis.v1.HubService/FinishRun", resource)
unless { principal.credentialKind != "api_key" };

@id("no-secret-tickets")
forbid(principal, action in Portcullis::Action::"tickets", resource is Portcullis::Object)
when { resource.name like "secret/*" && !(resource.hasTag("cleared") && resource.getTag("cleared") == "yes") };
`

let dir = ''
let instance: TestInstance
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-policies-'))
  await writeFile(join(dir, 'base.cedar'), base)
  instance = await startInstance({
    PORTCULLIS__LOG__LEVEL: 'fatal',
    PORTCULLIS__POLICY__CEDAR_DIR: dir,
    PORTCULLIS__SERVICES: 'tickets:read,tickets:write',
  })
})
afterAll(async () => {
  await instance.stop()
  await rm(dir, { recursive: true, force: true })
})

/** The newest entry of a method, once there is one that matches. */
async function entryOf(log: string, action: string, matching: object): Promise<Record<string, unknown>> {
  let found: Record<string, unknown> = {}
  await expect
    .poll(
      async () => {
        const bodies = (await entriesOf(instance, log)).map((entry) => JSON.parse(entry).body)
        found = bodies.findLast(({ method }) => method === action) ?? {}
        return found
      },
      { timeout: 20_000 },
    )
    .toMatchObject(matching)
  return found
}

const metrics = async (): Promise<string> => (await fetch(`http://${instance.running.ready.management}/metrics`)).text()

describe('fine policy', () => {
  it('G21: denies what the scopes allow, over HTTP and gRPC, says nothing of the policy outside and all of it in the ledger', async () => {
    const agent = await instance.agent('runner', ['telemetry:write'])
    const started = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    expect(started.status).toBe(200)
    const finish = { runId: started.body.run.id, status: 'COMPLETED' }
    const denied = await instance.call('HubService/FinishRun', finish, { key: agent.key })
    expect([denied.status, denied.body.code]).toEqual([403, 'policy.denied'])
    expect(JSON.stringify(denied.body)).not.toContain('no-finish')
    await entryOf('main', '/portcullis.v1.HubService/FinishRun', {
      outcome: 'deny',
      code: 'policy.denied',
      reason: 'forbidden by no-finish-by-key',
      caller: { id: agent.id },
    })
    const client = grpcClient(instance.grpc)
    const refused = await client.call('/portcullis.v1.HubService/FinishRun', new Uint8Array(), {
      authorization: `Bearer ${agent.key}`,
    })
    const message = toBinary(StartRunRequestSchema, create(StartRunRequestSchema, { workflow: 'w' }))
    const allowed = await client.call('/portcullis.v1.HubService/StartRun', message, {
      authorization: `Bearer ${agent.key}`,
    })
    client.close()
    expect([refused.code, allowed.code]).toEqual([7, 0])
    // The same agent with a token of an app: another kind of credential.
    const app = await instance.call('IdentityService/CreateApp', {
      name: 'runner',
      agentId: agent.id,
      scopes: ['telemetry:write'],
    })
    const given = await fetch(`${instance.url}/v1/oauth/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${btoa(`${app.body.app.id}:${app.body.clientSecret}`)}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials',
    })
    const token = JSON.parse(await given.text()).access_token
    const second = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: token })
    const finished = { runId: second.body.run.id, status: 'COMPLETED' }
    expect((await instance.call('HubService/FinishRun', finished, { key: token })).status).toBe(200)
    // The operator is no agent.
    expect((await instance.call('HubService/FinishRun', finish)).status).toBe(200)
  })

  it('G21: never gives what the scopes do not, and public reads need none', async () => {
    const agent = await instance.agent('bare', ['tasks:read'])
    const { status, body } = await instance.call('HubService/StartRun', { workflow: 'w' }, { key: agent.key })
    expect([status, body.code]).toEqual([403, 'auth.scope_missing'])
    expect((await instance.call('HubService/GetHealth', {}, { key: undefined })).status).toBe(200)
  })

  it('G21: decides what services ask, by the object and by what they say of it', async () => {
    const service = await instance.agent('helpdesk', ['authz:check'])
    const reader = await instance.agent('reader', ['tickets:read'])
    const check = async (resource: string, context: object = {}) => {
      const asked = { credential: reader.key, action: 'tickets:read', resource, context }
      return (await instance.call('AuthorizationService/Check', asked, { key: service.key })).body
    }
    const open = await check('open/7')
    expect(open).toMatchObject({
      allow: true,
      code: '',
      ttlSeconds: 5,
      epoch: expect.stringMatching(/^\d+-[0-9a-f]{12}-k\d+$/),
    })
    expect(await check('secret/7')).toMatchObject({
      allow: false,
      code: 'policy.denied',
      ttlSeconds: 0,
      caller: reader.id,
    })
    await entryOf('main', '/portcullis.v1.AuthorizationService/Check', {
      args: { code: 'policy.denied', why: 'forbidden by no-secret-tickets', resource: 'secret/7' },
    })
    expect(await check('secret/7', { cleared: 'yes' })).toMatchObject({ allow: true })
  })
})

describe('an edit of the policies', () => {
  it('G21: is taken over and recorded; a broken one is not, and the set before stays', async () => {
    const agent = await instance.agent('edited', ['tasks:write'])
    const made = async (): Promise<number> =>
      (await instance.call('HubService/CreateTask', { title: 't' }, { key: agent.key })).status
    const eventually = { timeout: 20_000 }
    expect(await made()).toBe(200)
    await writeFile(
      join(dir, 'tasks.cedar'),
      '@id("no-tasks") forbid(principal is Portcullis::Agent, action in Portcullis::Action::"tasks", resource);',
    )
    await expect.poll(made, eventually).toBe(403)
    await entryOf('system', '(settings file)', {
      kind: 'config.changed',
      args: { parts: ['policy.cedarDir'], policies: 4, digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    expect(await metrics()).toMatch(/^portcullis_policy_failing(\{\})? 0/m)

    await writeFile(join(dir, 'tasks.cedar'), 'permit(principal, action, resource) when { principal.nonsense };')
    await expect.poll(metrics, eventually).toMatch(/^portcullis_policy_failing(\{\})? 1/m)
    expect(await made()).toBe(403)

    await rm(join(dir, 'tasks.cedar'))
    await expect.poll(made, eventually).toBe(200)
    expect(await metrics()).toMatch(/^portcullis_policy_failing(\{\})? 0/m)
  })
})

describe('the start', () => {
  it('G21: is refused where a policy does not validate, with file, line and what is wrong', async () => {
    const wrong = join(dir, 'wrong')
    const home = join(dir, 'home')
    await mkdir(wrong)
    await writeFile(
      join(wrong, 'a.cedar'),
      'permit(principal, action, resource);\nforbid(principal, action, resource) when { principal.scope };',
    )
    await writeFile(join(wrong, 'b.cedar'), 'permit(principal')
    const start = up({
      dir: home,
      env: { ...freePorts, PORTCULLIS__LOG__LEVEL: 'fatal', PORTCULLIS__POLICY__CEDAR_DIR: wrong },
    })
    await expect(start).rejects.toMatchObject({
      message: 'the policies cannot be used',
      problems: [expect.stringMatching(/^policy\.cedarDir: b\.cedar:1: unexpected end of input/)],
    })
    await rm(join(wrong, 'b.cedar'))
    const again = up({
      dir: home,
      env: { ...freePorts, PORTCULLIS__LOG__LEVEL: 'fatal', PORTCULLIS__POLICY__CEDAR_DIR: wrong },
    })
    await expect(again).rejects.toMatchObject({
      problems: [
        expect.stringMatching(
          /^policy\.cedarDir: a\.cedar:2: attribute `scope` on entity type .* not found; did you mean `scopes`\?/,
        ),
      ],
    })
    await removeInstance(home)
  })
})
