import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type FakeServer } from './fakes.ts'

const row = {
  workflow: 'triage',
  promptVersion: 'v1',
  provider: 'openai',
  model: 'gpt-5',
  attempts: '120',
  successes: '90',
  successRatePpm: 750_000,
  lowPpm: 665_500,
  highPpm: 819_200,
  costNanoUsd: '1250000000',
  p50LatencyMs: '800',
  p95LatencyMs: '2400',
  retries: '7',
}

const entry = {
  rank: 1,
  workflow: 'triage',
  provider: 'openai',
  model: 'gpt-5',
  samples: '225',
  successRatePpm: 880_000,
  lowPpm: 831_000,
  highPpm: 916_000,
  averageCostNanoUsd: '29080000',
  averageLatencyMs: '194000',
}

const ioFor = ({ url }: FakeServer) => fakeIo({ env: { PORTCULLIS_URL: url } })

describe('analytics', () => {
  it('H9: are a table with shares, dollars and latencies, of what was asked for', async () => {
    await using server = await fakeServer(() => ({ body: { rows: [row] } }))
    const line = 'analytics --workflow triage --prompt-version v1 --model gpt-5 --from 2026-11-01T00:00:00Z'
    const { code, out } = await runLine(line, ioFor(server))
    expect(code).toBe(0)
    expect(server.seen[0]?.path).toMatch(/HubService\/GetPromptAnalytics$/)
    expect(server.seen[0]?.message).toMatchObject({
      workflow: 'triage',
      promptVersion: 'v1',
      model: 'gpt-5',
      from: '2026-11-01T00:00:00.000Z',
    })
    const cells = out.split('\n').map((each) => each.split(/ {2,}/))
    expect(cells[0]).toEqual(expect.arrayContaining(['WORKFLOW', 'SUCCESS (95 %)', 'P95']))
    expect(cells[1]).toEqual([
      'triage',
      'v1',
      'openai',
      'gpt-5',
      '120',
      '75.0 % (66.5 to 81.9)',
      '$1.25',
      '800 ms',
      '2400 ms',
      '7',
    ])
  })

  it('H9: without attempts nothing is on stdout, and --json has the rows as they came', async () => {
    await using server = await fakeServer((_, count) => ({ body: count === 1 ? {} : { rows: [row] } }))
    const none = await runLine('analytics', ioFor(server))
    expect([none.code, none.out, none.err]).toEqual([0, '', 'There were no attempts in that time.\n'])
    const json = await runLine('analytics --json', ioFor(server))
    expect(JSON.parse(json.out)).toEqual({ rows: [{ ...row, tokens: {} }], nextPageToken: '' })
  })

  it('H9: a time without a zone is a mistake that says what to write', async () => {
    const { code, out, err } = await runLine('analytics --from yesterday')
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('Write a time with its zone, such as 2026-11-21T18:45:29Z.')
  })

  it.each([
    [true, 'v2 minus v1: -12.0 points (-20.5 to -3.5); more than chance.\n'],
    [false, 'v2 minus v1: -12.0 points (-20.5 to -3.5); no more than chance may make.\n'],
  ])('H9: two versions are compared, and whether it is chance is said (significant: %s)', async (significant, said) => {
    const difference = { differencePpm: -120_000, differenceLowPpm: -205_000, differenceHighPpm: -35_000 }
    const second = { ...row, promptVersion: 'v2' }
    await using server = await fakeServer(() => ({ body: { first: row, second, ...difference, significant } }))
    const { code, out } = await runLine('analytics compare triage v1 v2 --model gpt-5', ioFor(server))
    expect(code).toBe(0)
    expect(server.seen[0]?.message).toMatchObject({
      workflow: 'triage',
      firstVersion: 'v1',
      secondVersion: 'v2',
      model: 'gpt-5',
    })
    expect(out.split('\n')).toHaveLength(5)
    expect(out.endsWith(said)).toBe(true)
    const json = await runLine('analytics compare triage v1 v2 --json', ioFor(server))
    expect(JSON.parse(json.out)).toMatchObject({ ...difference, significant, second: { promptVersion: 'v2' } })
  })
})

describe('leaderboard', () => {
  it('H10: ranks models by workflow, says which is a benchmark and how it ranks', async () => {
    const entries = [entry, { ...entry, rank: 2, model: 'small', workflow: 'aider', benchmark: true }]
    const board = { entries, minimumSamples: 30, method: 'by the lower bound\u001B[2J' }
    await using server = await fakeServer(() => ({ body: board }))
    const { code, out, err } = await runLine('leaderboard', ioFor(server))
    expect(code).toBe(0)
    const lines = out.split('\n').map((each) => each.split(/ {2,}/))
    expect(lines[1]).toEqual([
      'triage',
      '1',
      'openai',
      'gpt-5',
      '225',
      '88.0 % (83.1 to 91.6)',
      '$0.02908',
      '194000 ms',
    ])
    expect(lines[2]?.slice(0, 4)).toEqual(['aider (benchmark)', '2', 'openai', 'small'])
    expect(err).toBe(String.raw`by the lower bound\u{1b}[2J` + '\n')
  })

  it('H10: says how many samples are missing where nothing is ranked; --json is the whole board', async () => {
    await using server = await fakeServer(() => ({ body: { minimumSamples: 30, method: 'm' } }))
    const { out, err } = await runLine('leaderboard triage', ioFor(server))
    expect([out, err]).toEqual(['', 'No published workflow has 30 samples of a model.\nm\n'])
    expect(server.seen[0]?.message).toEqual({ workflow: 'triage' })
    const json = await runLine('leaderboard --json', ioFor(server))
    expect(JSON.parse(json.out)).toEqual({ entries: [], minimumSamples: 30, method: 'm' })
  })
})
