import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type FakeIo, type FakeServer, type Ran } from './fakes.ts'
import { run } from './main.ts'

const { PATH } = process.env
const ioFor = ({ url }: FakeServer, env: Readonly<Record<string, string>> = {}): FakeIo =>
  fakeIo({ env: { PATH, PORTCULLIS_URL: url, PORTCULLIS_KEY: 'pc_x', OPS_OPERATOR: 'ada', ...env } })
const recording = () => fakeServer(() => ({ body: { scriptRunId: 'scr_1' } }))
const methods = (server: FakeServer) => server.seen.map(({ path }) => path.split('/').at(-1))

/** Runs a script of the shell behind the guard. */
async function shell(script: string, options: readonly string[], io: FakeIo): Promise<Ran> {
  const code = await run(['ops', 'run', ...options, '--', 'sh', '-c', script], io)
  return { code, ...io.written }
}

describe('ops run', () => {
  it('O5: without a confirmation nothing is run, nothing is recorded, and what to do is said', async () => {
    await using server = await recording()
    const { code, out, err } = await runLine('ops run -- true', ioFor(server))
    expect([code, out, server.seen]).toEqual([1, '', []])
    expect(err).toContain('[ops.confirmation_required]')
    expect(err).toContain('--confirm')
  })

  it('O5: the intent is recorded before and the outcome after, and the exit code is that of the command', async () => {
    await using server = await recording()
    const { code, err } = await shell('exit 7', ['--not-destructive', '--name', 'nightly'], ioFor(server))
    expect([code, err]).toEqual([7, ''])
    expect(methods(server)).toEqual(['RecordIntent', 'RecordOutcome'])
    expect(server.seen[0]?.message['script']).toMatchObject({
      name: 'nightly',
      operator: 'ada',
      destructive: false,
      confirmed: false,
    })
    expect(server.seen[1]?.message).toMatchObject({ scriptRunId: 'scr_1', exitCode: 7, signal: '' })
  })

  it('O5: a confirmed script hears of it, and one that a signal ends is told as a shell does', async () => {
    await using server = await recording()
    expect((await shell('test "$OPS_CONFIRM" = 1', ['--confirm'], ioFor(server))).code).toBe(0)
    expect((await shell('test "$OPS_CONFIRM" = 1', ['--not-destructive'], ioFor(server))).code).toBe(1)
    expect((await shell('kill -9 $$', ['--confirm'], ioFor(server))).code).toBe(137)
    expect(server.seen.at(-1)?.message).toMatchObject({ signal: 'SIGKILL' })
  })

  it('O5: a signal is passed on to the command', async () => {
    await using server = await recording()
    const io = ioFor(server)
    const ended = runLine('ops run --confirm -- sleep 20', io)
    // The command is started once its intent is recorded; until then nobody listens.
    const tries = setInterval(() => io.signal('SIGTERM'), 20)
    const { code } = await ended.finally(() => clearInterval(tries))
    expect(code).toBe(143)
  })

  it('O5: a command that cannot be started is said, and recorded as failed', async () => {
    await using server = await recording()
    const { code, err } = await runLine('ops run --confirm -- /no/such/program', ioFor(server))
    expect(code).toBe(3)
    expect(err).toContain('/no/such/program cannot be started')
    const { code: denied, err: why } = await runLine('ops run --confirm -- /etc/passwd', ioFor(server))
    expect([denied, why]).toEqual([3, expect.stringContaining('/etc/passwd may not be executed')])
    expect(server.seen.at(-1)?.message).toMatchObject({ exitCode: 1 })
  })

  it('O5: with --audit required_offbox the intent is for a sink, and where none takes it nothing is run', async () => {
    await using server = await recording()
    const line = 'ops run --confirm --audit required_offbox -- true'
    expect((await runLine(line, ioFor(server))).code).toBe(0)
    expect(methods(server)).toEqual(['RecordIntentOffbox', 'RecordOutcome'])
    await using refusing = await fakeServer(() => ({ status: 503, body: { code: 'audit.unavailable', title: 'No.' } }))
    const { code, err } = await runLine(line, ioFor(refusing))
    expect([code, methods(refusing)]).toEqual([1, ['RecordIntentOffbox']])
    expect(err).toContain('[audit.unavailable]')
  })

  it('O5: without a key the run goes on and says so, and a name has its bounds', async () => {
    const unkeyed = await runLine('ops run --confirm -- true', fakeIo({ env: { PATH } }))
    expect(unkeyed.code).toBe(0)
    expect(unkeyed.err).toMatch(/^portcullis ops: not recorded in the ledger: .*PORTCULLIS_KEY\n$/)
    const { code, err } = await runLine(`ops run --confirm --name ${'x'.repeat(121)} -- true`)
    expect([code, err]).toEqual([2, expect.stringContaining('Name it with --name.')])
  })
})
