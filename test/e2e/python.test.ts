import { globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseOf } from '../harness/instance.ts'
import { run } from '../harness/run.ts'
import { startProcess, type ServerProcess } from '../harness/process.ts'

// Debian's own: another python3 in the path has no grpcio.
const python = '/usr/bin/python3'
const clientFile = new URL('client.py', import.meta.url).pathname
const contract = new URL('../../contract/', import.meta.url).pathname

describe("a client of Debian's protoc and python3-grpcio", () => {
  let server: ServerProcess
  let stubs: string
  let agent: { readonly id: string; readonly key: string }
  let tags = 0

  beforeAll(async () => {
    stubs = await mkdtemp(join(tmpdir(), 'portcullis-stubs-'))
    ;[server] = await Promise.all([startProcess(), generate(stubs)])
    agent = await server.agent('python', ['telemetry:write'])
  })
  afterAll(async () => {
    await server.stop()
    await rm(stubs, { recursive: true, force: true })
  })

  // oxlint-disable-next-line typescript/no-explicit-any -- what a scenario prints
  const scenario = async (name: string, more: object = {}): Promise<any> => {
    const settings = { grpc: server.grpc, stubs, key: agent.key, ...more }
    return JSON.parse(await run(python, [clientFile, name], { input: JSON.stringify(settings) }))
  }
  const newRun = async (): Promise<{ readonly run_id: string; readonly tag: string }> => {
    const { body } = await server.call('HubService/StartRun', { workflow: 'python' }, { key: agent.key })
    tags += 1
    return { run_id: body.run.id, tag: `python-${tags}` }
  }

  it('C6: stubs that protoc generates from the contract run a whole life of a run', async () => {
    const { started, attempt, event, finished, read_equals_finished } = await scenario('lifecycle')
    expect(started).toMatchObject({ status: 'TASK_STATE_WORKING', taskId: 'task-7', agentId: agent.id })
    expect(attempt).toMatchObject({
      runId: started.id,
      workflow: 'python',
      promptVersion: 'v3',
      tokens: { input: '374', output: '44' },
    })
    expect(event).toMatchObject({
      runId: started.id,
      eventType: 'note',
      level: 'EVENT_LEVEL_INFO',
      dataJson: '{"a":1}',
    })
    expect(finished).toMatchObject({
      id: started.id,
      status: 'TASK_STATE_COMPLETED',
      totalAttempts: '1',
      tokens: { input: '374', output: '44' },
    })
    expect(read_equals_finished).toBe(true)
  })

  it('C4: pages lead through a list, newest first, without a gap or a double', async () => {
    const { started, pages } = await scenario('paging')
    expect(pages.map((page: readonly string[]) => page.length)).toEqual([2, 2, 1])
    expect(pages.flat()).toEqual(started.toReversed())
  })

  it('G15: the same key gives the same reply, marked; another payload is refused', async () => {
    const target = await newRun()
    const { same, first_marked, again_marked, other_payload } = await scenario('replay', target)
    expect({ same, first_marked, again_marked }).toEqual({ same: true, first_marked: null, again_marked: 'true' })
    expect(other_payload).toMatchObject({
      code: 'INVALID_ARGUMENT',
      reason: 'idempotency.payload_mismatch',
      domain: 'portcullis',
    })
    const { body } = await server.call('HubService/GetRun', { runId: target.run_id })
    expect(body.run.totalAttempts).toBe('1')
  })

  it('C3: each refusal carries its status, its code as ErrorInfo and the request id', async () => {
    const revoked = await server.agent('python-revoked', ['telemetry:write'])
    await server.call('IdentityService/RevokeKey', { keyId: revoked.keyId })
    const seen = await scenario('refusals', { ...(await newRun()), other_key: revoked.key })
    const expected = {
      no_credential: { code: 'UNAUTHENTICATED', reason: 'auth.credential_missing' },
      wrong_scope: { code: 'PERMISSION_DENIED', reason: 'auth.scope_missing', metadata: { detail: 'identity:write' } },
      revoked: { code: 'UNAUTHENTICATED', reason: 'auth.credential_invalid' },
      too_large: { code: 'RESOURCE_EXHAUSTED', reason: 'bounds.message_too_large' },
      unknown_method: { code: 'UNIMPLEMENTED', reason: 'method.unknown' },
    }
    expect(seen).toMatchObject(expected)
    for (const { domain, metadata, request_id } of Object.values<
      Record<'domain' | 'request_id', string> & { metadata: { requestId: string } }
    >(seen)) {
      expect(domain).toBe('portcullis')
      expect(request_id).toMatch(/^req_[0-9a-f-]{36}$/)
      expect(metadata.requestId).toBe(request_id)
    }
    expect(seen.wrong_scope.details).toContain('identity:write')
  })

  it('G15: after a deadline the same key tells, and the work is done once', async () => {
    const target = await newRun()
    const owner = new Client(await databaseOf(server.dir, 'portcullis_owner'))
    await owner.connect()
    await owner.query('begin')
    // No write of an attempt can commit while this is held: the deadline passes whatever the speed of the machine.
    await owner.query('lock table portcullis.prompt_attempts in access exclusive mode')
    const late = await scenario('deadline', target)
    await owner.query('rollback')
    await owner.end()
    expect(late.code).toBe('DEADLINE_EXCEEDED')
    const { attempts, total } = await scenario('after_deadline', target)
    expect(new Set(attempts).size).toBe(1)
    expect(total).toBe(1)
  })

  it('G23: grpc.health.v1 answers for the server and its services, without a credential', async () => {
    expect(await scenario('health')).toMatchObject({
      '': 'SERVING',
      'portcullis.v1.HubService': 'SERVING',
      unknown: { code: 'NOT_FOUND' },
    })
  })
})

/** What the user of another language does: our .proto files and Debian's protoc. */
async function generate(into: string): Promise<void> {
  const withServices = [`--grpc_out=${into}`, '--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin']
  const protoc = (root: string, names: readonly string[], more: readonly string[] = withServices): Promise<string> =>
    run('/usr/bin/protoc', ['-I', join(contract, root), ...also, `--python_out=${into}`, ...more, ...names])
  // What the contract imports of others.
  const also = ['-I', join(contract, 'third_party')]
  await protoc('proto', globSync('**/*.proto', { cwd: join(contract, 'proto') }))
  await protoc('third_party', globSync('opentelemetry/**/*.proto', { cwd: join(contract, 'third_party') }), [])
  // Each from its own folder: as modules `grpc.…` and `google.…` they would hide behind the packages of those names.
  await protoc('third_party/grpc/health/v1', ['health.proto'])
  await protoc('third_party/google/rpc', ['status.proto', 'error_details.proto'], [])
}
