import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const good = '"max-age=63072000; includeSubDomains"'
const site = (text: string): Record<string, string> => ({ Caddyfile: `example.test {\n${text}}\n` })

describe('R19', () => {
  it.each([
    ['a header', site(`\theader Strict-Transport-Security ${good}\n`)],
    [
      'longer, preloaded, in another case',
      site('\theader strict-transport-security `MAX-AGE=94608000;includesubdomains;preload`\n'),
    ],
    ['a block with a prefix', site(`\theader {\n\t\t?Strict-Transport-Security ${good}\n\t\t-Server\n\t}\n`)],
    ['for every path', site(`\theader * >Strict-Transport-Security ${good}\n`)],
    ['quoted age', site('\theader Strict-Transport-Security `max-age="63072000"; includeSubDomains`\n')],
    [
      'a snippet',
      {
        Caddyfile: `(sec) {\n\theader Strict-Transport-Security ${good}\n}\na.test {\n\timport sec\n}\nb.test {\n\timport sec\n}\n`,
      },
    ],
    [
      'an argument of a snippet',
      {
        Caddyfile:
          '(sec) {\n\theader Strict-Transport-Security "max-age={args[0]}; includeSubDomains"\n}\na.test {\n\timport sec 63072000\n}\n',
      },
    ],
    ['what comes from behind', site(`\treverse_proxy a:1 {\n\t\theader_down Strict-Transport-Security ${good}\n\t}\n`)],
    ['CRLF', { Caddyfile: `a.test {\r\n\theader Strict-Transport-Security ${good}\r\n}\r\n` }],
  ])('R19: holds (%s)', async (_, files) => {
    expect(places(await judged('R19', files))).toEqual([])
  })

  it.each([
    ['too short', '\theader Strict-Transport-Security "max-age=31536000; includeSubDomains"\n'],
    ['without subdomains', '\theader Strict-Transport-Security max-age=63072000\n'],
    ['without age', '\theader Strict-Transport-Security includeSubDomains\n'],
    ['in a block', '\theader {\n\t\tStrict-Transport-Security max-age=1\n\t}\n'],
    ['in backticks', '\theader Strict-Transport-Security `max-age=0; includeSubDomains`\n'],
  ])('R19: a weak value is broken, and repaired where that is asked for (%s)', async (_, text) => {
    const result = await judged('R19', site(text))
    expect(result.outcome).toBe('FAIL')
    expect(result.evidence).toHaveLength(1)
    expect((await judged('R19', repaired(result, site(text), 'unsafe'))).outcome).toBe('PASS')
  })

  it.each([
    ['nothing', '\tfile_server\n', 'Caddyfile:1:1 FAIL'],
    ['taken away', '\theader -Strict-Transport-Security\n', 'Caddyfile:2:9 FAIL'],
    ['for some paths', `\theader /app/* Strict-Transport-Security ${good}\n`, 'Caddyfile:2:16 WARN'],
    ['a variable', '\theader Strict-Transport-Security {$HSTS}\n', 'Caddyfile:2:35 WARN'],
    ['redirects', '\tredir https://www.example.test{uri}\n', 'Caddyfile:1:1 WARN'],
  ])('R19: is broken, or worth a look (%s)', async (_, text, place) => {
    expect(places(await judged('R19', site(text)))).toEqual([place])
  })

  it('R19: a finding keeps its fingerprint when lines move', async () => {
    const before = await judged('R19', site('\theader Strict-Transport-Security max-age=1\n'))
    const after = await judged('R19', site('\n# moved\n\theader Strict-Transport-Security max-age=1\n'))
    expect(after.evidence[0]?.fingerprint).toBe(before.evidence[0]?.fingerprint)
  })

  it('R19: what cannot be read is said', async () => {
    expect((await judged('R19', { Caddyfile: 'a.test{\n}\n' })).outcome).toBe('ERROR')
    expect((await judged('R19', { Caddyfile: 'http://a.test, :8080, localhost {\n\tfile_server\n}\n' })).outcome).toBe(
      'NOT_APPLICABLE',
    )
    expect((await judged('R19', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })
})
