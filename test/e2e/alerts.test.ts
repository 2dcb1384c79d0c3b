import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'

const folder = join(import.meta.dirname, '../../deploy/prometheus')
const promtool = promisify(execFile)

describe('the alert rules under promtool', () => {
  it('O7: every rule is valid', async () => {
    const { stdout } = await promtool('promtool', ['check', 'rules', 'portcullis.rules.yml'], { cwd: folder })
    expect(stdout).toContain('SUCCESS')
  })

  it('O7: every alert fires where it should and is quiet where it should', async () => {
    const { stdout } = await promtool('promtool', ['test', 'rules', 'portcullis.tests.yml'], { cwd: folder })
    expect(stdout).toContain('SUCCESS')
  })
})

it('O7: every query of the dashboards can be parsed', async () => {
  const dashboards = join(import.meta.dirname, '../../deploy/grafana')
  const texts = await Promise.all((await readdir(dashboards)).map((file) => readFile(join(dashboards, file), 'utf8')))
  const panels = texts.flatMap((text) => (JSON.parse(text) as { readonly panels: readonly Panel[] }).panels)
  const rules = panels
    .filter(({ type }) => type !== 'logs')
    .flatMap(({ targets }) => targets)
    .map(({ expr }, at) => ({ record: `query_${at}`, expr: expr.replaceAll('$__rate_interval', '5m') }))
  expect(rules.length).toBeGreaterThan(20)
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-dashboards-'))
  try {
    // JSON is YAML.
    await writeFile(join(dir, 'queries.yml'), JSON.stringify({ groups: [{ name: 'queries', rules }] }))
    const { stdout } = await promtool('promtool', ['check', 'rules', 'queries.yml'], { cwd: dir })
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`)
  } finally {
    await rm(dir, { recursive: true })
  }
})

interface Panel {
  readonly type: string
  readonly targets: readonly { readonly expr: string }[]
}
