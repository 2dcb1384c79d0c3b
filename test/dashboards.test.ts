import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { jobMetricRows } from '../src/server/telemetry/job-metrics.ts'
import { metricRows } from '../src/server/telemetry/metrics.ts'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

interface Dashboard {
  readonly uid: string
  readonly title: string
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: string }[] }
  readonly panels: readonly Panel[]
}

const folder = join(import.meta.dirname, '../deploy/grafana')
const files = readdirSync(folder).filter((file) => file.endsWith('.json'))
const read = (file: string): Dashboard => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard
const exprs = (of: Dashboard): readonly string[] => of.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))

describe.each(files)('%s', (file) => {
  const dashboard = read(file)

  it('O7: has an id that is its name, and data sources that are chosen where it is used', () => {
    expect(`${dashboard.uid}.json`).toBe(file)
    const named = new Set(dashboard.templating.list.map(({ name }) => `\${${name}}`))
    for (const { title, datasource, targets } of dashboard.panels)
      for (const { uid } of [datasource, ...targets.map((one) => one.datasource)])
        expect([title, named.has(uid)]).toEqual([title, true])
  })

  it('O7: asks for metrics that there are', () => {
    const known = new Map<string, string>([
      ...metricRows.map(([name, kind]) => [name, kind] as const),
      ...jobMetricRows.map(([name]) => [`${name.replaceAll('.', '_')}_total`, 'counter'] as const),
    ])
    const asked = exprs(dashboard).flatMap((expr) => expr.match(/\b(?:portcullis|web_jobs)_[a-z_]+/g) ?? [])
    expect(asked.length).toBeGreaterThan(4)
    for (const name of asked) {
      const bare = name.replace(/_bucket$/, '')
      expect([name, known.get(bare)]).toEqual([
        name,
        name === bare ? expect.stringMatching(/counter|gauge/) : 'histogram',
      ])
    }
  })

  it('O7: has panels beside and below each other, each with an id of its own', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    for (const { title, gridPos } of dashboard.panels)
      expect([title, gridPos.x + gridPos.w <= 24]).toEqual([title, true])
  })
})

it('O7: the one of jobs shows the three counters over five minutes, triggers by kind and the latest audit lines', () => {
  const jobs = read('portcullis-jobs.json')
  for (const [name] of jobMetricRows) expect(exprs(jobs)).toContain(`sum(rate(${name.replaceAll('.', '_')}_total[5m]))`)
  expect(exprs(jobs)).toContain('sum by (job_kind) (rate(web_jobs_triggered_total[5m]))')
  const [lines] = jobs.panels.filter(({ type }) => type === 'logs')
  expect(lines?.targets[0]?.expr).toContain('logger="portcullis.authorization.audit"')
})
