import { describe, expect, it } from 'vitest'
import type { RefusalCode } from '#core'
import { JobMetrics, jobMeter } from './job-metrics.ts'
import { Metrics } from './metrics.ts'

function made(): { readonly jobs: JobMetrics; readonly text: () => Promise<string> } {
  const metrics = new Metrics()
  const jobs = new JobMetrics(metrics.meter(jobMeter), metrics.meter('portcullis'), ['checkpoint'])
  return { jobs, text: () => metrics.prometheus() }
}

describe('the metrics of jobs', () => {
  it('J4: the three counters are there under their names before anything has happened', async () => {
    const { text } = made()
    const found = await text()
    for (const name of [
      'web_jobs_triggered_total',
      'web_jobs_trigger_conflict_total',
      'web_jobs_trigger_failed_total',
    ]) {
      expect(found).toContain(`# TYPE ${name} counter`)
      expect(found).toMatch(new RegExp(`${name}{job_kind="checkpoint",job_trigger="manual",job_outcome="[a-z_]+"} 0`))
    }
    expect(found).toContain('source_http_requests_total{source="jobs-run"} 0')
  })

  it('J4: a trigger counts by its outcome, and only where the gate let it in', async () => {
    const { jobs, text } = made()
    const about = { jobKind: 'checkpoint' }
    const outcomes: readonly (RefusalCode | undefined)[] = [
      undefined,
      'job.running',
      'job.disabled',
      'store.unavailable',
      'object.not_found',
    ]
    for (const code of outcomes) jobs.decided({ about, code })
    jobs.decided({ about: undefined, code: 'auth.scope_missing' })
    jobs.triggered('checkpoint', 'schedule', 'job.running')
    jobs.failed('checkpoint', 'schedule')
    jobs.decided({ about: { jobKind: 'x{y="z"}' }, code: undefined })
    const lines = (await text()).split('\n').filter((line) => line.endsWith(' 1') || line.endsWith(' 6'))
    const of = (name: string, labels: string) => `${name}_total{${labels}} 1`
    const checkpoint = (trigger: string, outcome: string) =>
      `job_kind="checkpoint",job_trigger="${trigger}",job_outcome="${outcome}"`
    expect(lines.toSorted()).toEqual(
      [
        of('web_jobs_triggered', checkpoint('manual', 'accepted')),
        of('web_jobs_triggered', 'job_kind="(unknown)",job_trigger="manual",job_outcome="accepted"'),
        of('web_jobs_trigger_conflict', checkpoint('manual', 'running')),
        of('web_jobs_trigger_conflict', checkpoint('manual', 'disabled')),
        of('web_jobs_trigger_conflict', checkpoint('schedule', 'running')),
        of('web_jobs_trigger_failed', checkpoint('manual', 'trigger_failed')),
        of('web_jobs_trigger_failed', checkpoint('schedule', 'failed')),
        'source_http_requests_total{source="jobs-run"} 6',
      ].toSorted(),
    )
  })
})
