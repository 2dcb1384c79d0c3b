import { describe, expect, it } from 'vitest'
import { Secret } from '#core'
import type { DemoResult } from '#demo'
import { Tally } from '../demo/tally.ts'
import { demoDocument, demoText, type DemoShown } from './demo-report.ts'

function tally(): Tally {
  const counted = new Tally()
  for (let call = 0; call < 1200; call += 1) counted.count(undefined, 0)
  for (const code of ['rate.limited', 'kill.engaged', 'rate.limited']) counted.count(code, 0)
  Object.assign(counted.runs, { completed: 8, failed: 1, canceled: 1 })
  Object.assign(counted.tokens, { input: 50_000, cachedRead: 900, output: 700 })
  return Object.assign(counted, { attempts: 20, failedAttempts: 3, events: 5, tasks: 4, notes: 2, benchmarks: 6 })
}

function shown(more: Partial<DemoResult> = {}, work: DemoShown['work'] = 'day'): DemoShown {
  const result: DemoResult = {
    team: { tenantId: 'ten_1', tenantName: 'demo-7', adminKey: new Secret('pc_admin'), agents: [] },
    tally: tally(),
    seconds: 2,
    workCalls: 1000,
    checks: [{ name: 'runs', sent: 10, recorded: 10 }],
    ...more,
  }
  return { result, work, seed: 7, url: 'http://127.0.0.1:8080', isDefaultUrl: true }
}

const budget = {
  limitNanoUsd: 100_000_000n,
  spentNanoUsd: 99_000_000n,
  admitted: 40,
  refused: 21,
  firstRefused: 38,
  lastAdmitted: 61,
  asked: 2_500_000n,
}

describe('what the demo tells a person', () => {
  it('M3: counts with their reasons, what agrees, and where to look', () => {
    const lines = demoText(shown(), false).split('\n')
    expect(lines[1]).toBe('A day of five agents in the tenant demo-7, seed 7')
    const said = lines.map((line) => line.trim().replaceAll(/ {2,}/g, ' '))
    expect(said).toEqual(
      expect.arrayContaining([
        'calls 1,203 500 a second for 2.0 s',
        'refused 3 on purpose',
        'rate.limited 2 loops without a pause',
        'kill.engaged 1 an agent that a kill switch stopped',
        'runs 10 1 failed, 1 canceled',
        'attempts 20 3 failed',
        'input tokens 50,000 and 900 read from caches',
        'events 5 4 tasks, 2 notes, 6 benchmarks',
        'export PORTCULLIS_KEY=pc_admin',
      ]),
    )
    expect(said.indexOf('rate.limited 2 loops without a pause')).toBeLessThan(
      said.indexOf('kill.engaged 1 an agent that a kill switch stopped'),
    )
    expect(lines.filter((line) => line.startsWith('ok  GetSummary has the same'))).toHaveLength(1)
    expect(lines.some((line) => line.includes('PORTCULLIS_URL'))).toBe(false)
  })

  it('M3: another server is told as a variable, and what was sent again is said', () => {
    const counted = tally()
    counted.count(undefined, 2)
    const text = demoText({ ...shown({ tally: counted }), url: 'http://127.0.0.1:9', isDefaultUrl: false }, false)
    expect(text).toContain('  export PORTCULLIS_URL=http://127.0.0.1:9\n')
    expect(text).toMatch(/allowed +1,201 +2 sent again while the server was away/)
  })

  it('M3: each thing that the server counts otherwise is named, and nothing is called ok', () => {
    const checks = [
      { name: 'runs', sent: 10, recorded: 10 },
      { name: 'attempts', sent: 1020, recorded: 1019 },
    ]
    const text = demoText(shown({ checks }), false)
    expect(text).toContain('WRONG  attempts: sent 1,020, recorded 1,019\n')
    expect(text).not.toMatch(/^ok/m)
    expect(text).not.toContain('WRONG  runs')
    expect(demoText(shown({ checks }), true)).toContain('\u001B[31mWRONG')
  })

  it('M3: a trace has what its file has', () => {
    const checks = [500, 12_345, 678].map((value) => ({ name: 'x', sent: value, recorded: value }))
    const text = demoText(shown({ checks }, 'trace'), false)
    expect(text).toContain('A trace, by five agents in the tenant demo-7')
    expect(text).toContain('ok  the runs have what the file has: 500 calls, 12,345 context and 678 generated tokens\n')
    expect(text).not.toContain('on purpose')
  })

  it('M3, B4: a budget tells what was spent, and the first call that did not fit', () => {
    const text = demoText(shown({ budget }, 'trace'), false)
    expect(text).toContain('  $0.099 of $0.10 spent by 40 calls, 21 refused\n')
    expect(text).toContain('  call 38 was the first that did not fit: it asked for $0.0025\n')
    expect(text).toContain('  call 61 was the last one admitted\n')
    expect(text).toContain('ok  every call was decided right, and what is reported is what was enforced: $0.099\n')
    const never = { ...budget, refused: 0, firstRefused: undefined, asked: undefined }
    expect(demoText(shown({ budget: never }, 'trace'), false)).toContain('by 40 calls; the budget was never reached\n')
  })
})

describe('what the demo tells a program', () => {
  it('M3: holds the key, every count and whether all of it agrees', () => {
    expect(demoDocument(shown())).toMatchObject({
      tenant: { id: 'ten_1', name: 'demo-7' },
      key: 'pc_admin',
      seed: 7,
      callsPerSecond: 500,
      calls: 1203,
      allowed: 1200,
      refused: { 'rate.limited': 2, 'kill.engaged': 1 },
      runs: { completed: 8, failed: 1, canceled: 1 },
      spentNanoUsd: '0',
      agrees: true,
    })
    expect(demoDocument(shown())).not.toHaveProperty('budget')
    const checks = [{ name: 'runs', sent: 10, recorded: 9 }]
    expect(demoDocument(shown({ checks, seconds: 0 }))).toMatchObject({ callsPerSecond: 1000, agrees: false })
  })

  it('M3, B4: amounts are text, because JSON has no whole numbers of that size', () => {
    const document = JSON.stringify(demoDocument(shown({ budget })))
    expect(JSON.parse(document).budget).toEqual({
      limitNanoUsd: '100000000',
      spentNanoUsd: '99000000',
      admitted: 40,
      refused: 21,
      firstRefused: 38,
      lastAdmitted: 61,
      askedNanoUsd: '2500000',
    })
  })
})
