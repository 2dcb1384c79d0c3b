import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-telemetry-'))
  for (const [name, text] of [
    ['token', 'the-token'],
    ['empty', ''],
  ] as const) {
    await writeFile(join(dir, name), text)
    await chmod(join(dir, name), 0o600)
  }
})
afterAll(() => rm(dir, { recursive: true }))

function load(text: string, more = '') {
  const result = loadConfig({ mode: 'up', env: {}, file: join(dir, 'portcullis.yaml'), text: `${more}\n${text}` })
  return result.ok
    ? { config: result.config, problems: [] }
    : { config: undefined, problems: result.problems.map(({ path, value, why }) => `${path} ${value} ${why}`) }
}

const forwarder = (fields: string): string => `telemetry: { forwarders: [ { ${fields} } ] }`

describe('settings of telemetry', () => {
  it('O4: a forwarder has a kind, a target and a file with its token, which starts at the folder of the settings', () => {
    const { config, problems } = load(forwarder('kind: datadog, url: "https://intake.example/v2", tokenFile: token'))
    expect(problems).toEqual([])
    expect(config?.telemetry.forwarders).toEqual([
      { kind: 'datadog', url: 'https://intake.example/v2', tokenFile: join(dir, 'token') },
    ])
  })

  it('O4: what is wrong with a forwarder is named, and no credential of a URL is shown', () => {
    for (const [fields, said] of [
      [
        'kind: splunk, url: "https://a.example"',
        /^telemetry\.forwarders\.0\.kind \[redacted\] This is none of the choices/,
      ],
      ['kind: http', /^telemetry\.forwarders\.0\.url \(not set\) It is required/],
      ['kind: http, url: "ftp://a.example"', /^telemetry\.forwarders\.0\.url \[redacted\] .*http or https/],
      ['kind: http, url: "https://u:hunter2@a.example"', /^telemetry\.forwarders\.0\.url \[redacted\] .*no user/],
      [
        'kind: http, url: "https://a.example", tokenFile: nothing',
        /^telemetry\.forwarders\.0\.tokenFile .*no such file/,
      ],
      ['kind: http, url: "https://a.example", tokenFile: empty', /^telemetry\.forwarders\.0\.tokenFile .*empty/],
    ] as const) {
      const { problems } = load(forwarder(fields))
      expect(problems, fields).toEqual([expect.stringMatching(said)])
      expect(problems.join()).not.toContain('hunter2')
    }
  })

  it('O4: the headers for the collector come from a file that can be read', () => {
    const otlp = (file: string): string =>
      `telemetry: { otlp: { endpoint: "http://127.0.0.1:4318", headersFile: ${file} } }`
    expect(load(otlp('token')).problems).toEqual([])
    expect(load(otlp('nothing')).problems).toEqual([expect.stringMatching(/^telemetry\.otlp\.headersFile/)])
  })

  it('O3: the debug listener has a port of its own; its token may be empty, but not in a file that is not there', () => {
    expect(load('debug: { port: 6060, tokenFile: empty }').problems).toEqual([])
    expect(load('debug: { port: 8080 }').problems).toEqual([expect.stringMatching(/^debug\.port 8080 .*listen\.http/)])
    expect(load('debug: { port: 6060, tokenFile: nothing }').problems).toEqual([
      expect.stringMatching(/^debug\.tokenFile .*no such file/),
    ])
  })
})
