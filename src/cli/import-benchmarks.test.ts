import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type FakeServer } from './fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-aider-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const run = (model: string, more = ''): string => `- model: ${model}\n  test_cases: 225\n  pass_rate_2: 72.9\n${more}`
const leaderboard = [
  '- dirname: 2026-01-01--x',
  '  model: gpt-5 (high)',
  '  test_cases: 225',
  '  pass_rate_1: 52.0',
  '  pass_rate_2: 88.04',
  '  edit_format: diff',
  '  date: "2026-08-25"',
  '  seconds_per_case: 194.0',
  '  total_cost: 29.0829',
  '- model: no-rate',
  '  test_cases: 225',
  '- model: no-cases',
  '  pass_rate_1: 3',
  '- model: first-try',
  '  test_cases: 10',
  '  pass_rate_1: 30',
].join('\n')

const ioFor = ({ url }: FakeServer) => fakeIo({ env: { PORTCULLIS_URL: url } })

describe('import aider', () => {
  it('H10: records each run with its samples, cost and latency, and says what it left out', async () => {
    await using server = await fakeServer(() => ({ body: {} }))
    const path = file('board.yml', leaderboard)
    const { code, out, err } = await runLine(`import aider ${path} --workflow polyglot --publish`, ioFor(server))
    expect([code, out]).toEqual([0, '2 benchmarks are recorded for polyglot.\n'])
    expect(err).toContain('left out: run 2: it has no pass rate\n')
    expect(err).toContain('left out: run 3: test_cases: ')
    expect(server.seen.map(({ path: method }) => method.split('/').at(-1))).toEqual(['RecordBatch', 'PublishWorkflow'])
    expect(server.seen[0]?.message['benchmarks']).toEqual([
      {
        workflow: 'polyglot',
        model: 'gpt-5 (high)',
        qualityScoreMilli: 880,
        samples: '225',
        costNanoUsd: '29082900000',
        latencyMs: '43650000',
        notes: 'diff, 2026-08-25',
      },
      {
        workflow: 'polyglot',
        model: 'first-try',
        qualityScoreMilli: 300,
        samples: '10',
        costNanoUsd: '0',
        latencyMs: '0',
        notes: '',
      },
    ])
    expect(server.seen[1]?.message).toEqual({ workflow: 'polyglot', published: true })
  })

  it('H10: many runs go in batches, and the same file again has the same idempotency keys', async () => {
    await using server = await fakeServer(() => ({ body: {} }))
    const path = file('many.yml', Array.from({ length: 101 }, (_, at) => run(`m${at}`)).join(''))
    const first = await runLine(`import aider ${path} --workflow w --json`, ioFor(server))
    expect(JSON.parse(first.out)).toEqual({ recorded: 101, skipped: [] })
    await runLine(`import aider ${path} --workflow w`, ioFor(server))
    const sent = server.seen.map(({ message }) => message)
    expect(sent.map(({ benchmarks }) => (benchmarks as readonly object[]).length)).toEqual([100, 1, 100, 1])
    const [a, b, ...again] = sent.map(({ idempotencyKey }) => idempotencyKey)
    expect(again).toEqual([a, b])
    expect(a).not.toBe(b)
  })

  it.each([
    ['nothing.yml', '[]', 'has no run that can be read'],
    ['no-list.yml', 'model: x', 'The file is no list of runs.'],
    ['no-yaml.yml', '- {', 'The file is no YAML that can be read.'],
    ['alias.yml', '- &a {model: x}\n- *a', 'The file is no YAML that can be read.'],
    ['long.yml', '- {}\n'.repeat(10_001), 'The file has more than 10000 runs.'],
  ])('H10: %s is refused with the reason, and nothing is recorded', async (name, text, said) => {
    await using server = await fakeServer(() => ({ body: {} }))
    const { code, out, err } = await runLine(`import aider ${file(name, text)} --workflow w`, ioFor(server))
    expect([code, out, server.seen]).toEqual([2, '', []])
    expect(err).toContain(said)
    expect(err).toContain('to do:')
  })

  it('H10: a file that is not there or far too large is not read', async () => {
    const large = file('large.yml', '')
    truncateSync(large, 4 * 1024 * 1024 + 1)
    const missing = await runLine(`import aider ${join(folder, 'nowhere.yml')} --workflow w`)
    expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('nowhere.yml cannot be read.')])
    expect((await runLine(`import aider ${large} --workflow w`)).err).toContain('is larger than 4194304 bytes')
  })
})
