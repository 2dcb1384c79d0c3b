import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-http-sinks-'))
afterAll(() => rmSync(dir, { recursive: true }))
const write = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(join(dir, name), text, { mode })
  return name
}
const token = write('token', 'a-token-of-the-test\n')
const wide = write('wide', 'a-token-of-the-test\n', 0o644)
const headers = write('headers', 'x-key: of-the-test\n\nx-team:a\n')

function load(sinks: readonly string[], env = 'development') {
  const text = [
    `env: ${env}`,
    'database: { url: "postgres://app:x@127.0.0.1/p" }',
    'audit:',
    '  checkpoints: { acknowledgements: 0 }',
    '  sinks:',
    ...sinks.map((one) => `    - ${one}`),
  ]
  return loadConfig({ mode: 'serve', env: {}, file: join(dir, 'portcullis.yaml'), text: text.join('\n') })
}

function problemsOf(...given: Parameters<typeof load>) {
  const loaded = load(...given)
  const all = loaded.ok ? loaded.warnings : loaded.problems
  return all
    .filter(({ path }) => path.startsWith('audit'))
    .map(({ path, why, todo, severity }) => ({ path, severity, text: `${why} ${todo}` }))
}

const channel = 'arn:aws:cloudtrail:eu-central-1:123456789012:channel/0e6f0e7a-1'

describe('sinks over HTTP', () => {
  it('L9: every kind loads with what it needs, and its files start at the folder of the settings', () => {
    const loaded = load([
      `{ kind: http, url: "https://collector.example.com/in", tokenFile: ${token} }`,
      `{ kind: otlp, endpoint: "http://10.0.0.7:4318", headersFile: ${headers}, allowPrivate: true }`,
      `{ kind: splunk, url: "https://splunk.example.com:8088", tokenFile: ${token}, index: audit }`,
      `{ kind: s3, bucket: ledger-bucket, region: eu-central-1, prefix: a/b, lockMode: compliance, retainDays: 365, accessKeyIdFile: ${token}, secretAccessKeyFile: ${token} }`,
      `{ kind: cloudtrail, channelArn: "${channel}" }`,
    ])
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const [http, , splunk, s3, cloudtrail] = loaded.config.audit.sinks
    expect(http).toMatchObject({ name: 'http', tokenFile: join(dir, token), allowPrivate: false })
    expect(splunk).toMatchObject({ acknowledge: 'indexed' })
    expect(s3).toMatchObject({ forcePathStyle: false, accessKeyIdFile: join(dir, token) })
    expect(cloudtrail).toMatchObject({ name: 'cloudtrail' })
  })

  it.each([
    ['https://127.0.0.1/in', /leads to a loopback address.*allowPrivate/],
    ['https://0x7f.1/in', /loopback/],
    ['https://10.1.2.3/in', /private/],
    ['https://169.254.169.254/latest', /refused always/],
    ['http://collector.example.com/in', /not an https URL/],
    ['https://user:secret-in-url@collector.example.com/', /no user or password/],
    ['nonsense', /not an https URL/],
  ])('O11: %s stops the start', (url, why) => {
    const [found] = problemsOf([`{ kind: http, url: "${url}" }`])
    expect(found).toMatchObject({ path: 'audit.sinks.0.url', severity: 'error', text: expect.stringMatching(why) })
    expect(JSON.stringify(load([`{ kind: http, url: "${url}" }`]))).not.toContain('secret-in-url')
  })

  it('O11: metadata is refused with allowPrivate, too', () => {
    const [found] = problemsOf([
      '{ kind: s3, bucket: abc, region: eu-central-1, endpoint: "http://169.254.169.254", allowPrivate: true }',
    ])
    expect(found).toMatchObject({ path: 'audit.sinks.0.endpoint', text: expect.stringMatching(/refused always/) })
  })

  it('L9: what is missing, contradicts or cannot be read is told at once', () => {
    write('bad-headers', 'x-key: fine\nno colon here\n')
    write('bad-external', 'no spaces here\n')
    write('empty', '\n')
    write('no-ca', 'nothing\n')
    const found = problemsOf([
      `{ kind: http, url: "https://a.example.com", tokenFile: nowhere }`,
      `{ kind: http, name: other, url: "https://a.example.com", tokenFile: empty, caFile: no-ca }`,
      `{ kind: otlp, endpoint: "https://b.example.com", headersFile: bad-headers }`,
      `{ kind: s3, bucket: abc, region: eu-central-1, lockMode: governance, accessKeyIdFile: ${token} }`,
      `{ kind: cloudtrail, channelArn: "${channel}", externalIdFile: bad-external, sessionTokenFile: ${token} }`,
    ])
    expect(found.map(({ path }) => path)).toEqual([
      'audit.sinks.0.tokenFile',
      'audit.sinks.1.tokenFile',
      'audit.sinks.1.caFile',
      'audit.sinks.2.headersFile',
      'audit.sinks.3.secretAccessKeyFile',
      'audit.sinks.3.retainDays',
      'audit.sinks.4.externalIdFile',
      'audit.sinks.4.accessKeyIdFile',
    ])
    expect(found.map(({ text }) => text).join('\n')).toMatch(/Line 2 is no header/)
  })

  it.each([
    ['{ kind: splunk, url: "https://a.example.com" }', 'audit.sinks.0.tokenFile'],
    ['{ kind: s3, bucket: UPPER, region: eu-central-1 }', 'audit.sinks.0.bucket'],
    ['{ kind: s3, bucket: abc, region: eu-central-1, prefix: ../up }', 'audit.sinks.0.prefix'],
    ['{ kind: cloudtrail, channelArn: "arn:aws:s3:::bucket" }', 'audit.sinks.0.channelArn'],
    ['{ kind: http }', 'audit.sinks.0.url'],
    [
      `{ kind: splunk, url: "https://a.example.com", tokenFile: ${token}, acknowledge: maybe }`,
      'audit.sinks.0.acknowledge',
    ],
  ])('L9: %s is refused by name', (sink, path) => {
    expect(problemsOf([sink])).toContainEqual(expect.objectContaining({ path, severity: 'error' }))
    expect(JSON.stringify(problemsOf([sink]))).not.toContain('blank')
  })

  it('L9: a secret that others may read is an error in production and a warning elsewhere', () => {
    const sinks = [
      `{ kind: s3, bucket: abc, region: eu-central-1, accessKeyIdFile: ${wide}, secretAccessKeyFile: ${token} }`,
    ]
    expect(problemsOf(sinks)).toEqual([expect.objectContaining({ severity: 'warning' })])
    expect(problemsOf(sinks, 'production')).toContainEqual(
      expect.objectContaining({ severity: 'error', path: 'audit.sinks.0.accessKeyIdFile' }),
    )
  })
})
