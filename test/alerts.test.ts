import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { methods } from '@portcullis/contract'
import { metricRows } from '../src/server/telemetry/metrics.ts'

interface Rule {
  readonly alert?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
interface Rules {
  readonly groups: readonly { readonly rules: readonly Rule[] }[]
}
interface Cases {
  readonly tests: readonly {
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[]
  }[]
}

const root = join(import.meta.dirname, '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const rules = (parse(read('deploy/prometheus/portcullis.rules.yml')) as Rules).groups.flatMap((group) => group.rules)
const alerts = rules.filter(({ alert }) => alert !== undefined)
const cases = (parse(read('deploy/prometheus/portcullis.tests.yml')) as Cases).tests.flatMap(
  (one) => one.alert_rule_test,
)

describe('the alert rules', () => {
  it('O7: name metrics that exist', () => {
    // Those of jobs have names of their own: see docs/jobs.md.
    const known = new Set<string>([
      ...metricRows.map(([name]) => name),
      'web_jobs_triggered_total',
      'web_jobs_trigger_conflict_total',
      'web_jobs_trigger_failed_total',
    ])
    const named = rules.flatMap(({ expr }) => expr.match(/\b(portcullis_|web_)[a-z_]+/g) ?? [])
    expect(named.length).toBeGreaterThan(alerts.length - 1)
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })

  it('O7: each says how bad it is, what to do and where that is written', () => {
    const page = read('docs/alerts.md')
    const sections = new Set([...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name))
    expect(new Set(alerts.map(({ alert }) => alert))).toEqual(sections)
    for (const { alert, annotations, labels } of alerts) {
      expect([alert, labels?.['severity']]).toEqual([alert, expect.stringMatching(/^(critical|warning)$/)])
      expect(annotations?.['action']?.length).toBeGreaterThan(20)
      expect(annotations?.['runbook_url']).toBe(`docs/alerts.md#${alert?.toLowerCase()}`)
    }
  })

  it('O7: each is tested where it fires and where it does not', () => {
    for (const { alert } of alerts) {
      const of = cases.filter(({ alertname }) => alertname === alert)
      expect([
        alert,
        of.some((one) => one.exp_alerts.length > 0),
        of.some((one) => one.exp_alerts.length === 0),
      ]).toEqual([alert, true, true])
    }
  })

  it('O7: calls without scopes are looked for on every route but those of public reads', () => {
    const { expr } = alerts.find(({ alert }) => alert === 'PortcullisMissingScopes') ?? { expr: '' }
    const left = new RegExp(`^(?:${/route!~"([^"]+)"/.exec(expr)?.[1] ?? ''})$`)
    const open = [...methods.values()].filter(({ path }) => left.test(path)).map(({ path }) => path)
    const publicReads = [...methods.values()].filter(({ access }) => access === 'public_read').map(({ path }) => path)
    expect(open.toSorted()).toEqual(publicReads.toSorted())
  })
})
