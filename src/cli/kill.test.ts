import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, nowMs, runLine, type Answer, type Seen } from './fakes.ts'
import { parseKillScope } from './kill-scope.ts'
import { run } from './main.ts'

const id = 'kil_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10'
const agent = 'agt_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10'
const kill = {
  id,
  scope: { kind: 'KILL_SCOPE_KIND_AGENT', id: agent },
  reason: 'loops',
  actor: 'opr_1',
  engagedAt: new Date(nowMs - 60_000).toISOString(),
  runsCancelled: '2',
  reservationsSettled: '1',
}

async function ran(args: readonly string[], answer: (seen: Seen) => Answer) {
  await using server = await fakeServer(answer)
  const io = fakeIo({ env: { PORTCULLIS_URL: server.url, PORTCULLIS_KEY: 'pc_x' } })
  const code = await run([...args], io)
  return { code, ...io.written, seen: server.seen }
}

describe('kill engage', () => {
  it('K1: says what is stopped, and who did not say so', async () => {
    const body = { kill, replicas: 3, replicasAcknowledged: 2, tookMs: '1100' }
    const args = ['kill', 'engage', '--scope', `agent:${agent}`, '--reason', 'loops', '--expires', '2h']
    const { code, out, seen } = await ran(args, () => ({ body }))
    expect(code).toBe(0)
    expect(out).toBe(
      `${id}: agent ${agent} is stopped. 2 of 3 replicas said so within 1100 ms. 1 did not answer: what they know is too old, and they let nobody in.\n`,
    )
    expect(seen[0]).toMatchObject({
      path: '/portcullis.v1.KillService/Engage',
      message: { scope: kill.scope, reason: 'loops', expiresAt: new Date(nowMs + 7_200_000).toISOString() },
    })
  })

  it('K1: with --json one document, and the refusal of the server with exit code 1', async () => {
    const body = { kill, replicas: 1, replicasAcknowledged: 1, tookMs: '3' }
    const engaged = await ran(['kill', 'engage', '--scope', 'everything', '--reason', 'x', '--json'], () => ({ body }))
    expect(JSON.parse(engaged.out)).toMatchObject({ kill: { id, runsCancelled: 2 }, replicas: 1, tookMs: 3 })
    const problem = { code: 'object.not_found', title: 'There is no such object.', status: 404 }
    const refused = await ran(['kill', 'engage', '--scope', 'model:m', '--reason', 'x'], () => ({
      status: 404,
      body: problem,
    }))
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('[object.not_found]')])
  })

  it('K1: needs a scope and a reason', async () => {
    expect((await runLine('kill engage --scope tenant')).code).toBe(2)
    expect((await runLine('kill engage --reason x')).code).toBe(2)
  })

  it.each(['', 'agent', 'agents:x', 'everything:x', 'constructor:x', 'key:', 'model'])(
    'K1: `%s` is no scope',
    (text) => {
      expect(() => parseKillScope(text)).toThrow('Write everything, tenant')
    },
  )

  it('K1: every kind of scope has its word', () => {
    const said = ['everything', 'tenant', 'tenant:ten_1', 'key:key_1', 'tool:a:b', 'job:roll-up'].map(parseKillScope)
    expect(said.map(({ kind, id: subject }) => `${kind.slice('KILL_SCOPE_KIND_'.length)} ${subject}`)).toEqual([
      'EVERYTHING ',
      'TENANT ',
      'TENANT ten_1',
      'KEY key_1',
      'TOOL a:b',
      'JOB_KIND roll-up',
    ])
  })
})

describe('kill list and release', () => {
  it('K1: shows what is in force and what came of it', async () => {
    const { out, seen } = await ran(['kill', 'list', '--engaged'], () => ({ body: { kills: [kill] } }))
    expect(seen[0]?.message).toMatchObject({ engagedOnly: true })
    expect(out).toMatch(new RegExp(`${id} +agent ${agent} +1 minute ago +engaged +2 +1 +loops`))
    const released = await ran(['kill', 'release', id, '--reason', 'ok'], () => ({
      body: { kill: { ...kill, releasedAt: new Date(nowMs).toISOString() } },
    }))
    expect(released.out).toBe(`${id}: agent ${agent} is no longer stopped by it.\n`)
    expect(released.seen[0]?.message).toEqual({ killId: id, reason: 'ok' })
  })
})

describe('kill watch', () => {
  const stream = (...messages: readonly string[]): Answer => ({
    headers: { 'content-type': 'text/event-stream' },
    body: messages.join(''),
  })
  const said = `data: ${JSON.stringify({ kill, engaged: true })}\n\n`
  const end = `event: end\ndata: ${JSON.stringify({ code: 'auth.credential_invalid', title: 'No.', status: 401 })}\n\n`

  it('K3: prints what it hears, and ends with why the server ended it', async () => {
    const { code, out, err } = await ran(['kill', 'watch'], () =>
      stream(': begun\n\n', said, 'data: {"heartbeat":true}\n\n', end),
    )
    expect([code, out]).toEqual([1, `engaged  ${id}  agent ${agent}: loops\n`])
    expect(err).toContain('[auth.credential_invalid]')
  })

  it('K3: a stream that is cut is no end', async () => {
    const { code, out } = await ran(['kill', 'watch', '--json'], () => stream(said))
    expect(code).toBe(3)
    expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({ engaged: true, kill: { id } })
  })

  it('K3: a refusal is told as of any call', async () => {
    const problem = { code: 'auth.scope_missing', title: 'No.', status: 403 }
    const { code, err } = await ran(['kill', 'watch'], () => ({ status: 403, body: problem }))
    expect([code, err]).toEqual([1, expect.stringContaining('[auth.scope_missing]')])
  })
})
