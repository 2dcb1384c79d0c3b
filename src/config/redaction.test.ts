import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, type LoadInput } from './load.ts'
import { printConfig } from './print.ts'
import { formatProblems, problem, showValue } from './problem.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

// The marker makes any leak findable, whatever an escape or a parser does to the characters around it.
const marker = 'Zq7Zq7'
const specialCharacters = `: / @ # ? % & * ! ' " { } [ ] , | > ~ - = $ ^ \` \\ é 漢 a 1`.split(' ')
const special = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', ...specialCharacters), maxLength: 8 })
const password = fc.tuple(special, special).map(([before, after]) => `${before}${marker}${after}`)

describe('secrets', () => {
  // Many files of settings are read: a busy machine takes its time.
  it('S5: a password never shows, however it is written and wherever it is put', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(password, (secret) => {
        for (const url of [
          `postgres://app:${secret}@db.internal:5432/x`,
          `postgres://app:${encodeURIComponent(secret)}@db/x`,
        ]) {
          for (const input of placesOf(url))
            expect(everythingSaid({ env: {}, mode: 'serve', ...input })).not.toContain(marker)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('S5: what is printed has the defaults, no secret, and can be read back where secrets are in files', () => {
    const url = `postgres://app:${marker}@127.0.0.1/x`
    writeFileSync(join(dir, 'url'), url, { mode: 0o600 })
    const inPlace = printed({ env: { DATABASE_URL: url }, mode: 'serve' })
    expect(parse(inPlace)).toMatchObject({
      database: { url: '[redacted]', pool: { clients: 4 } },
      log: { level: 'info' },
    })
    const fromFile = printed({ env: {}, mode: 'serve', text: `database: { urlFile: ${dir}/url }` })
    expect(fromFile).not.toContain('redacted')
    expect(printed({ env: {}, mode: 'serve', text: fromFile })).toBe(fromFile)
  })
})

describe('showing', () => {
  it('M4: problems are aligned blocks, errors first', () => {
    const text = formatProblems([
      problem('a.b', '1', 'Because.', 'Do it.', 'warning'),
      problem('listen.grpc', '"x"', 'No port.', 'Add one.'),
    ])
    expect(text).toBe(
      [
        'error    listen.grpc\n  value  "x"\n  why    No port.\n  to do  Add one.\n',
        'warning  a.b\n  value  1\n  why    Because.\n  to do  Do it.\n',
      ].join('\n'),
    )
  })

  it('M4: values from outside cannot rewrite the terminal or fill it', () => {
    const text = formatProblems([problem('a\u001b[2J', showValue('\u009b31m\u202e\n'), 'w', 't')])
    expect(text).toContain('a\\u{1b}[2J')
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u)
    expect(showValue('x'.repeat(10_000)).length).toBeLessThan(120)
  })
})

function placesOf(url: string): readonly Partial<LoadInput>[] {
  const file = join(dir, 'secret')
  writeFileSync(file, url)
  const quoted = JSON.stringify(url)
  return [
    { env: { DATABASE_URL: url } },
    { env: { PORTCULLIS__DATABASE__URL: url, DATABASE_URL: url } },
    { env: { DATABASE_URL: url }, mode: 'up' },
    { env: { PORTCULLIS__DATABASE__URL_FILE: url } },
    { env: { PORTCULLIS__DATABASE__PASSWORD: url, GRPC_ADDR: url, PORTCULLIS__TRUSTED_PROXIES: url } },
    { text: `database: { url: ${quoted}, owner: { url: ${quoted} }, tls: { mode: disable } }` },
    { text: `database:\n  url: ${url}\n` },
    { text: `database:\n  url: '${url}\n` },
    { text: `database:\n  ${url}: x\n` },
    { text: `database: ${url}\n` },
    { text: `database: { url: ${url}, owner: { url: ${url} } }\n` },
    { text: `{ database: { url: ${url} } }\n` },
    { text: `trustedProxies: [${url}]\n` },
    { text: url },
    { file: join(dir, 'portcullis.yaml'), text: `database: { urlFile: ${quoted}, tls: { caFile: ${quoted} } }` },
    { text: `database: { url: [${quoted}], embedded: { dir: ${quoted} } }\nlog: { level: ${quoted} }\nenv: ${quoted}` },
    { text: `database: { urlFile: ${file}, tls: { mode: disable } }` },
    { overrides: { database: { url }, listen: { grpc: url } } },
  ]
}

function everythingSaid(input: LoadInput): string {
  const result = loadConfig(input)
  if (!result.ok) return formatProblems(result.problems) + JSON.stringify(result.problems)
  const { config, warnings } = result
  return formatProblems(warnings) + printConfig(config) + inspect(config, { depth: 9 }) + JSON.stringify(config)
}

function printed(input: LoadInput): string {
  const result = loadConfig(input)
  if (!result.ok) expect.fail(formatProblems(result.problems))
  return printConfig(result.config)
}
