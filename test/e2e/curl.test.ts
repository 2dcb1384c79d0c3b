import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GetRunRequestSchema, GetRunResponseSchema, TaskState } from '@portcullis/contract'
import { run } from '../harness/run.ts'
import { startProcess, type ServerProcess } from '../harness/process.ts'

interface Seen {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

describe('curl', () => {
  let server: ServerProcess
  let folder: string
  let agent: { readonly id: string; readonly key: string; readonly keyId: string }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-curl-'))
    server = await startProcess()
    agent = await server.agent('curl', ['telemetry:write'])
  })
  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const curl = async (
    method: string,
    args: readonly string[],
    { key, type = 'application/json' }: { key?: string | undefined; type?: string } = {},
  ): Promise<Seen> => {
    const credential = key === undefined ? [] : ['-H', `authorization: Bearer ${key}`]
    const common = ['-sS', '-D', '-', '--max-time', '20', '-H', `content-type: ${type}`, ...credential]
    return seen(await run('curl', [...common, ...args, `${server.url}/portcullis.v1.${method}`]))
  }
  const json = async (method: string, body: object, key?: string, more: readonly string[] = []): Promise<Seen> =>
    curl(method, ['-d', JSON.stringify(body), ...more], { key })

  it('C2: starts, records and finishes a run as JSON, and reads it as protobuf', async () => {
    const started = await json('HubService/StartRun', { workflow: 'by-hand' }, agent.key)
    expect(started.status).toBe(200)
    const runId: string = JSON.parse(started.text).run.id
    const tokens = { input: '374', output: 44 }
    const attempt = await json(
      'HubService/RecordPromptAttempt',
      { runId, model: 'model-a', outcome: 'success', tokens },
      agent.key,
    )
    expect(JSON.parse(attempt.text).attempt).toMatchObject({
      runId,
      outcome: 'ATTEMPT_OUTCOME_SUCCESS',
      tokens: { input: '374', output: '44' },
    })
    const event = await json('HubService/RecordRunEvent', { runId, eventType: 'note', message: 'half way' }, agent.key)
    expect(JSON.parse(event.text).event).toMatchObject({ runId, level: 'EVENT_LEVEL_INFO' })
    const finished = await json('HubService/FinishRun', { runId, status: 'completed' }, agent.key)
    expect(JSON.parse(finished.text).run).toMatchObject({
      id: runId,
      status: 'TASK_STATE_COMPLETED',
      totalAttempts: '1',
    })

    const [request, reply] = [join(folder, 'request'), join(folder, 'reply')]
    await writeFile(request, toBinary(GetRunRequestSchema, create(GetRunRequestSchema, { runId })))
    const read = ['--data-binary', `@${request}`, '-o', reply]
    const { headers } = await curl('HubService/GetRun', read, { key: agent.key, type: 'application/proto' })
    expect(headers['content-type']).toBe('application/proto')
    const message = fromBinary(GetRunResponseSchema, await readFile(reply))
    expect(message.run).toMatchObject({ id: runId, status: TaskState.COMPLETED, tokens: { input: 374n, output: 44n } })
  })

  it('L2: each denial is in the ledger with its private reason, and the reply shows none of it', async () => {
    const revoked = await server.agent('curl-revoked', ['telemetry:write'])
    await server.call('IdentityService/RevokeKey', { keyId: revoked.keyId })
    const other = (await server.call('TenantService/Create', { name: 'elsewhere' })).body
    const { body } = await server.call('HubService/StartRun', { workflow: 'ours' }, { key: agent.key })
    const runId: string = body.run.id
    const large = join(folder, 'large.json')
    await writeFile(large, JSON.stringify({ runId, model: 'm', errorMessage: 'x'.repeat(2 * 1024 * 1024) }))
    const attempt = 'HubService/RecordPromptAttempt'

    const denials: Readonly<Record<string, Denial>> = {
      'no credential': {
        reply: await json('HubService/GetRun', { runId }),
        status: 401,
        code: 'auth.credential_missing',
        reason: 'no credential',
        log: 'system',
      },
      'wrong scope': {
        reply: await json('IdentityService/CreateAgent', { name: 'x' }, agent.key),
        status: 403,
        code: 'auth.scope_missing',
        reason: 'scope identity:write not held',
        names: 'identity:write',
      },
      revoked: {
        reply: await json('HubService/GetRun', { runId }, revoked.key),
        status: 401,
        code: 'auth.credential_invalid',
        reason: `key ${revoked.keyId} revoked`,
      },
      'declared 2 MiB': {
        reply: await curl(attempt, ['-H', 'expect:', '--data-binary', `@${large}`], { key: agent.key }),
        status: 413,
        code: 'bounds.message_too_large',
        reason: 'declared',
        log: 'system',
      },
      'chunked 2 MiB': {
        reply: await curl(
          attempt,
          ['-H', 'expect:', '-H', 'transfer-encoding: chunked', '--data-binary', `@${large}`],
          { key: agent.key },
        ),
        status: 413,
        code: 'bounds.message_too_large',
        reason: 'Request body is too large',
      },
      'run of another tenant': {
        reply: await json('HubService/GetRun', { runId }, other.key),
        status: 404,
        code: 'object.not_found',
        reason: 'no such run for this caller',
        key: other.key,
      },
      'another tenant named': {
        reply: await json('HubService/GetRun', { runId }, agent.key, ['-H', 'x-tenant-id: elsewhere']),
        status: 403,
        code: 'tenant.mismatch',
        reason: 'x-tenant-id is not the tenant of the credential',
      },
    }
    for (const [name, { reply, status, code, reason, names, log, key }] of Object.entries(denials)) {
      const requestId = reply.headers['x-request-id'] ?? ''
      expect
        .soft({ name, status: reply.status, ...JSON.parse(reply.text) })
        .toMatchObject({ name, status, code, requestId })
      if (names !== undefined) expect.soft(reply.text).toContain(names)
      expect.soft(reply.text, name).not.toContain(reason)
      expect.soft(reply.text, name).not.toMatch(privateText)
      const tail = await server.cli(
        ['ledger', 'tail', '--json', '--request-id', requestId, ...(log === undefined ? [] : ['--log', log])],
        key,
      )
      const entries: readonly { readonly entryJson: string }[] = JSON.parse(tail.stdout).entries
      expect
        .soft(
          entries.map(({ entryJson }) => JSON.parse(entryJson).body),
          name,
        )
        .toMatchObject([{ outcome: 'deny', code, requestId, reason: expect.stringContaining(reason) }])
    }
    expect(server.log()).toMatch(
      /HTTP body over the bound.*path=\/portcullis\.v1\.HubService\/RecordPromptAttempt declaredBytes=\d+/,
    )
  })
})

interface Denial {
  readonly reply: Seen
  readonly status: number
  readonly code: string
  /** Private: what the entry says beside the code. */
  readonly reason: string
  /** What the caller may read beside the sentence. */
  readonly names?: string
  /** Where the entry is, if not in the log of the tenant. */
  readonly log?: string
  /** Who may read that log, if not the admin. */
  readonly key?: string
}

// SQL, stacks, places in the source and on disk, addresses.
const privateText =
  /\b(select|insert|update|delete|constraint|relation|pg_|sqlstate)\b|\bat [\w.]+ \(|\.[jt]s\b|node_modules|\/(var|tmp|usr|home|root)\/|stack|127\.0\.0\.1:\d+\/(?!problems)/i

function seen(output: string): Seen {
  const [head = '', ...rest] = output.split('\r\n\r\n')
  // curl shows an interim 100 Continue as a head of its own.
  if (/^HTTP\/[\d.]+ 1\d\d/.test(head)) return seen(rest.join('\r\n\r\n'))
  const [line = '', ...fields] = head.split('\r\n')
  const headers = Object.fromEntries(
    fields.map((field) => [
      field.slice(0, field.indexOf(':')).toLowerCase(),
      field.slice(field.indexOf(':') + 1).trim(),
    ]),
  )
  return { status: Number(line.split(' ')[1]), headers, text: rest.join('\r\n\r\n') }
}
