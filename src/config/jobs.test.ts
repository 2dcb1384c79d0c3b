import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cronProblem, timeZoneProblem } from './cron.ts'
import { kindName } from './jobs-rules.ts'
import { loadConfig } from './load.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portcullis-jobs-settings-'))
  writeFileSync(join(dir, 'job.mjs'), 'export default () => ({})')
  writeFileSync(join(dir, 'secret'), 'a-secret-of-some-length', { mode: 0o600 })
  writeFileSync(join(dir, 'short'), 'short', { mode: 0o600 })
})
afterAll(() => rmSync(dir, { recursive: true }))

function load(jobs: string) {
  const file = join(dir, 'portcullis.yaml')
  writeFileSync(file, `database: { url: "postgres://a:b@127.0.0.1/x" }\njobs: ${jobs}\n`, { mode: 0o600 })
  return loadConfig({ file, env: {}, mode: 'serve' })
}

describe('schedules', () => {
  it.each([
    '17 3 * * *',
    '0 0 31 4,5 *',
    '0 0 31 2 mon',
    '*/5 0-6,12 1 jan-mar mon,wed',
    '0 0 29 2 7',
    '0 9 * * MON-FRI',
  ])('J2: %s is one', (text) => {
    expect(cronProblem(text)).toBeUndefined()
  })
  it.each([
    ['* * * *', /4 fields/],
    ['* * * * * *', /6 fields/],
    ['60 * * * *', /60 is no minute/],
    ['* 24 * * *', /24 is no hour/],
    ['* * 0 * *', /0 is no day of the month/],
    ['* * * 13 *', /no month/],
    ['* * * * 8', /no day of the week/],
    ['5-1 * * * *', /5-1 is no minute/],
    ['*/0 * * * *', /no minute/],
    ['1,,2 * * * *', /Nothing is no minute/],
    ['@daily', /1 fields/],
    ['a * * * *', /a is no minute/],
    ['0 0 30 2 *', /never run/],
    ['0 0 31 feb,4 *', /never run/],
  ])('J2: %s is none, and the reason says which field', (text, why) => {
    expect(cronProblem(text)).toMatch(why)
  })
  it('J2: a time zone is one that the machine knows', () => {
    expect([timeZoneProblem('Europe/Berlin'), timeZoneProblem('UTC')]).toEqual([undefined, undefined])
    expect(timeZoneProblem('Mars/Base')).toMatch(/no such time zone/)
  })
})

describe('settings of jobs', () => {
  it('J2: kinds of the settings have defaults, and files start at the folder of the file', () => {
    const loaded = load(
      '{ kinds: { rollUp: { schedule: "*/10 * * * *", timeZone: Asia/Tokyo } }, custom: [{ kind: a, moduleFile: job.mjs }, { kind: b, http: { url: "https://jobs.example.com/x", secretFile: secret } }] }',
    )
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const { custom, kinds, workers } = loaded.config.jobs
    expect([workers, kinds.rollUp.timeZone, kinds.retention.schedule]).toEqual([2, 'Asia/Tokyo', '17 3 * * *'])
    expect(custom).toMatchObject([
      { kind: 'a', moduleFile: join(dir, 'job.mjs'), overlap: 'refuse', tenant: 'main', retries: 2 },
      { kind: 'b', http: { secretFile: join(dir, 'secret'), timeoutMs: 30_000, allowPrivate: false } },
    ])
    expect(kindName('secretAgeReport')).toBe('secret-age-report')
  })

  it.each([
    ['{ custom: [{ kind: retention, moduleFile: job.mjs }] }', 'jobs.custom.0.kind', /of this name already/],
    [
      '{ custom: [{ kind: a, moduleFile: job.mjs }, { kind: a, moduleFile: job.mjs }] }',
      'jobs.custom.1.kind',
      /already/,
    ],
    ['{ custom: [{ kind: definitions, moduleFile: job.mjs }] }', 'jobs.custom.0.kind', /already/],
    ['{ custom: [{ kind: job_1, moduleFile: job.mjs }] }', 'jobs.custom.0.kind', /lower-case letters/],
    ['{ custom: [{ kind: a }] }', 'jobs.custom.0', /run by one of them/],
    ['{ custom: [{ kind: a, moduleFile: none.mjs }] }', 'jobs.custom.0.moduleFile', /./],
    [
      '{ custom: [{ kind: a, http: { url: "http://169.254.169.254/", secretFile: secret } }] }',
      'jobs.custom.0.http.url',
      /https/,
    ],
    [
      '{ custom: [{ kind: a, http: { url: "https://169.254.169.254/", secretFile: secret, allowPrivate: true } }] }',
      'jobs.custom.0.http.url',
      /leads to/,
    ],
    [
      '{ custom: [{ kind: a, http: { url: "https://jobs.example.com/", secretFile: short } }] }',
      'jobs.custom.0.http.secretFile',
      /too short/,
    ],
    ['{ kinds: { rollUp: { schedule: "61 * * * *" } } }', 'jobs.kinds.rollUp.schedule', /no minute/],
    ['{ kinds: { rollUp: { timeZone: Nowhere } } }', 'jobs.kinds.rollUp.timeZone', /time zone/],
    ['{ kinds: { harden: { enabled: true } } }', 'jobs.kinds.harden', /./],
  ])('J2: %s is refused at %s', (jobs, path, why) => {
    const loaded = load(jobs)
    const problems = loaded.ok ? [] : loaded.problems
    expect(problems.map((one) => one.path)).toContain(path)
    expect(problems.find((one) => one.path === path)?.why).toMatch(why)
  })
})
