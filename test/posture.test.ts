import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Command } from './harness/command.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import type { Exit } from './harness/portcullis.ts'

describe('what checks found, as evidence', () => {
  let instance: TestInstance
  let work: string
  beforeAll(async () => {
    instance = await startInstance()
    work = await mkdtemp(join(tmpdir(), 'posture-'))
    await writeFile(
      join(work, 'compose.yaml'),
      'services:\n  web:\n    image: web\n    ports: ["8080:8080"]\n    privileged: true\n',
    )
  })
  afterAll(async () => {
    await instance.stop()
    await rm(work, { recursive: true })
  })

  const cli = (...args: readonly string[]): Promise<Exit> =>
    new Command(args, { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey }).exited

  it('V5: a report is recorded, and an export of the ledger proves it without a server, byte for byte', async () => {
    const report = join(work, 'report.json')
    const verified = await cli('verify', '--repo', work, '--record', '--format', 'json', '--output', report)
    expect(verified).toMatchObject({ code: 1 })
    const { summary, results } = JSON.parse(await readFile(report, 'utf8'))
    expect(summary.fail).toBeGreaterThan(0)

    const listed = await cli('verify', 'reports', '--json')
    const [recorded] = JSON.parse(listed.stdout).reports
    expect(recorded.summary).toMatchObject({ fail: summary.fail, pass: summary.pass })
    const { body } = await instance.call('PostureService/ListReports', {})
    const failing = results.filter(({ outcome }: { outcome: string }) => outcome === 'FAIL')
    expect(body.reports[0].findings.map(({ check }: { check: string }) => check)).toEqual(
      expect.arrayContaining(failing.map(({ id }: { id: string }) => id)),
    )

    const ledger = join(work, 'ledger')
    expect(await cli('ledger', 'export', ledger)).toMatchObject({ code: 0 })
    const proven = await cli('verify', 'evidence', report, '--offline', ledger, '--json')
    expect(proven.code).toBe(0)
    expect(JSON.parse(proven.stdout)).toMatchObject({ recorded: true, entries: [{ log: 'main' }] })

    await writeFile(report, `${await readFile(report, 'utf8')} `)
    const changed = await cli('verify', 'evidence', report, '--offline', ledger)
    expect(changed).toMatchObject({ code: 1 })
    expect(changed.stderr).toContain('No entry of this export says that this report was recorded.')
  })

  it('J2: the job `verify` checks this server from where it runs, and keeps what it found with its entry', async () => {
    const done = await cli('jobs', 'trigger', 'verify', '--wait', '--json')
    expect(done).toMatchObject({ code: 0 })
    const { body } = await instance.call('PostureService/ListReports', { target: instance.url })
    expect(body.reports).toHaveLength(1)
    expect(body.reports[0]).toMatchObject({ actor: 'verify', summary: { pass: expect.any(Number) } })
    const { body: found } = await instance.call('LedgerService/Query', {
      action: 'posture.recorded',
    })
    expect(found.entries).toHaveLength(1)
    expect(JSON.parse(found.entries[0].entryJson).body.args.reportSha256).toBe(body.reports[0].reportSha256)
  })

  it('V5: a report that cannot be recorded is said, and hides neither what was found nor that it was not kept', async () => {
    const nowhere = ['--record', '--url', 'http://127.0.0.1:9', '--only', 'R15'] as const
    const broken = await cli('verify', '--repo', work, ...nowhere)
    expect(broken).toMatchObject({ code: 1, stdout: expect.stringContaining('FAIL') })
    expect(broken.stderr).toContain('The report was NOT recorded:')
    await writeFile(
      join(work, 'compose.yaml'),
      'services:\n  web:\n    image: web\n    ports: ["127.0.0.1:8080:8080"]\n',
    )
    expect(await cli('verify', '--repo', work, ...nowhere)).toMatchObject({ code: 4 })
  })

  it('V5: who may not write posture is refused, and a report without a digest is none', async () => {
    const { key } = await instance.agent('no-posture', ['telemetry:write'])
    const report = { reportSha256: '0'.repeat(64), toolVersion: '1', target: 't' }
    expect((await instance.call('PostureService/RecordReport', { report }, { key })).status).toBe(403)
    const { status, body } = await instance.call('PostureService/RecordReport', {
      report: { ...report, reportSha256: 'x' },
    })
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain('reportSha256')
  })
})
