import { describe, expect, it } from 'vitest'
import { readAider } from './commands/import-benchmarks.ts'
import { fakeIo, fakeServer, runLine, type Ran, type Seen } from './fakes.ts'

const key = 'pc_0199a3c27b1e7d429c550f8e2a6b4d10'

/** Runs a line against a server that answers each method with its body. */
async function against(
  line: string,
  bodies: Readonly<Record<string, object>>,
): Promise<Ran & { seen: readonly Seen[] }> {
  await using server = await fakeServer(({ path }) => ({ body: bodies[path.split('/').at(-1) ?? ''] ?? {} }))
  const ran = await runLine(line, fakeIo({ env: { PORTCULLIS_URL: server.url, PORTCULLIS_KEY: key } }))
  return { ...ran, seen: server.seen }
}

describe('policy get and set', () => {
  const policy = { maxCostPerRunNanoUsd: '5000000000', maxAttemptsPerRun: '0', maxTokensPerRun: '7' }

  it('B1: shows limits in dollars, and why the tenant is stopped', async () => {
    const killed = { ...policy, killSwitch: true, killSwitchReason: 'spends' }
    const { code, out } = await against('policy get', { GetPolicy: { policy: killed } })
    expect(code).toBe(0)
    expect(out).toContain('The tenant is stopped: spends')
    expect(out).toMatch(/cost of a run +\$5\.00/)
    expect(out).toMatch(/attempts of a run +no limit/)
  })

  it('B1: set keeps the limits that are not named, and leaves the kill switch as it is', async () => {
    const line = 'policy set --max-attempts-per-run 20 --max-latency 30s'
    const { code, seen } = await against(line, { GetPolicy: { policy }, SetPolicy: { policy } })
    expect(code).toBe(0)
    expect(seen[1]?.message['policy']).toEqual({
      maxCostPerRunNanoUsd: '5000000000',
      maxAttemptsPerRun: '20',
      maxTokensPerRun: '7',
      maxLatencyPerAttemptMs: '30000',
    })
  })

  it.each([
    ['policy set', 'nothing to set'],
    ['policy set --kill-switch on', 'needs a reason'],
    ['policy set --max-cost-per-run -1', 'Write dollars'],
    ['policy set --max-latency soon', 'Write how long'],
    ['policy cap set x --max-tokens-per-run 1.5', 'whole number'],
  ])('B1: `%s` is a wrong use', async (line, why) => {
    expect(await runLine(line)).toMatchObject({ code: 2, err: expect.stringContaining(why) })
  })
})

describe('policy caps', () => {
  const cap = { id: 'cap_1', name: 'small', model: 'gpt-5', maxCostPerAttemptNanoUsd: '250000000', dryRun: true }

  it('B2: lists what each cap holds for, and its limits', async () => {
    const { out } = await against('policy caps', { ListPolicyCaps: { caps: [cap] } })
    expect(out).toMatch(/small +cap_1 +gpt-5 +\$0\.25 an attempt +0 +dry run/)
  })

  it('B2: a cap is active unless it is said not to be', async () => {
    const line = 'policy cap set small --model gpt-5 --max-cost-per-attempt 0.25 --priority -2'
    const { seen, out } = await against(line, { UpsertPolicyCap: { cap } })
    expect(seen[0]?.message['cap']).toEqual({
      name: 'small',
      model: 'gpt-5',
      maxCostPerAttemptNanoUsd: '250000000',
      priority: -2,
      dryRun: false,
      active: true,
    })
    expect(out).toBe('Cap small is cap_1: $0.25 an attempt.\n')
  })
})

describe('import aider', () => {
  it('H10: a run becomes a benchmark with its cases as samples', async () => {
    const text = [
      '- model: gpt',
      '  test_cases: 225',
      '  pass_rate_1: 20.4',
      '  pass_rate_2: 35.6',
      '  seconds_per_case: 34.8',
      '  total_cost: 1.25',
      '  edit_format: whole',
      '- model: none',
      '  test_cases: 3',
      '- test_cases: 3',
    ].join('\n')
    const { benchmarks, skipped } = await readAider(text, 'w')
    expect(benchmarks).toEqual([
      {
        workflow: 'w',
        model: 'gpt',
        qualityScoreMilli: 356,
        samples: '225',
        costNanoUsd: '1250000000',
        latencyMs: '7830000',
        notes: 'whole',
      },
    ])
    expect(skipped).toEqual(['run 2: it has no pass rate', expect.stringContaining('run 3: model')])
  })

  it.each(['', 'a: 1', '- [', 'just text'])('H10: "%s" is no list of runs', async (text) => {
    await expect(readAider(text, 'w')).rejects.toThrow(/no list of runs|no YAML/)
  })
})
