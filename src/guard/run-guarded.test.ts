import { describe, expect, it } from 'vitest'
import type { ScriptOutcome, ScriptRecorder } from './ports.ts'
import { exitCodeOf, runGuarded } from './run-guarded.ts'

const script = { name: 'drop', operator: 'ada', args: [], destructive: true, confirmed: true }
const away = new Error('the server is away')

function setUp(failing: { intent?: boolean; outcome?: boolean } = {}) {
  const seen: string[] = []
  const said: string[] = []
  const ends: ScriptOutcome[] = []
  const recorder: ScriptRecorder = {
    intent: async (_script, demand) => {
      seen.push(`intent ${demand}`)
      if (failing.intent) throw away
      return 'scr_1'
    },
    outcome: async (id, _script, end) => {
      seen.push(`outcome ${id ?? '(none)'}`)
      if (failing.outcome) throw away
      ends.push(end)
    },
  }
  let nowMs = 0
  const ports = { recorder, say: (line: string) => void said.push(line), monotonic: () => (nowMs += 250) }
  const work = async () => {
    seen.push('work')
    return { exitCode: 3 }
  }
  return { seen, said, ends, ports, work }
}

describe('a guarded run', () => {
  it('O5: a destructive run without a confirmation is refused, and nothing is run', async () => {
    const { seen, ports, work } = setUp()
    const refused = await runGuarded({ ...script, confirmed: false }, 'best_effort', ports, work)
    expect(refused).toMatchObject({ refused: true, code: 'ops.confirmation_required' })
    expect(seen).toEqual([])
  })

  it('O5: a run that destroys nothing needs no confirmation', async () => {
    const { ports, work } = setUp()
    const harmless = { ...script, destructive: false, confirmed: false }
    expect(await runGuarded(harmless, 'best_effort', ports, work)).toEqual({ exitCode: 3 })
  })

  it('O5: the intent is recorded before the work and its outcome after', async () => {
    const { seen, ends, said, ports, work } = setUp()
    await runGuarded(script, 'required', ports, work)
    expect(seen).toEqual(['intent required', 'work', 'outcome scr_1'])
    expect(ends).toEqual([{ exitCode: 3, signal: undefined, durationMs: 250 }])
    expect(said).toEqual([])
  })

  it('O5: a ledger that is away stops no confirmed run, and is said in one line', async () => {
    const { seen, said, ports, work } = setUp({ intent: true, outcome: true })
    expect(await runGuarded(script, 'best_effort', ports, work)).toEqual({ exitCode: 3 })
    expect(seen).toEqual(['intent best_effort', 'work', 'outcome (none)'])
    expect(said).toEqual(['not recorded in the ledger: the server is away'])
  })

  it('O5: nor does one that goes away during the run', async () => {
    const { said, ports, work } = setUp({ outcome: true })
    expect(await runGuarded(script, 'best_effort', ports, work)).toEqual({ exitCode: 3 })
    expect(said).toEqual(['its outcome is not recorded in the ledger: the server is away'])
  })

  it.each(['required', 'required_offbox'] as const)(
    'O5: with %s a run without its record is refused',
    async (demand) => {
      const { seen, ports, work } = setUp({ intent: true })
      const refused = await runGuarded(script, demand, ports, work)
      expect(refused).toMatchObject({ code: 'audit.unavailable', detail: 'the server is away' })
      expect(seen).toEqual([`intent ${demand}`])
      expect(await runGuarded(script, demand, { ...ports, recorder: undefined }, work)).toMatchObject({
        code: 'audit.unavailable',
      })
    },
  )

  it('O5: without a server the run goes on and says so once', async () => {
    const { said, ports, work } = setUp()
    await runGuarded(script, 'best_effort', { ...ports, recorder: undefined }, work)
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('PORTCULLIS_KEY')
  })

  it('O5: work that throws is recorded as failed, and throws on', async () => {
    const { ends, ports } = setUp()
    const broken = new Error('no such program')
    await expect(runGuarded(script, 'best_effort', ports, () => Promise.reject(broken))).rejects.toBe(broken)
    expect(ends).toMatchObject([{ exitCode: 1 }])
  })

  it('O5: ends as a shell would, also by a signal', () => {
    expect(exitCodeOf({ exitCode: 4 })).toBe(4)
    expect(exitCodeOf({ exitCode: 1, signal: 'SIGKILL' })).toBe(137)
  })
})
