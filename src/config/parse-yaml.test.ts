import { describe, expect, it } from 'vitest'
import { parseYaml } from './parse-yaml.ts'

describe('parseYaml', () => {
  it('O1: sections, comments and small anchors are read', () => {
    const text = '# top\nlimits: &l { grpc: { streams: 1 } }\nother: *l\n'
    expect(parseYaml(text, 'f')).toEqual({
      ok: true,
      root: { limits: { grpc: { streams: 1 } }, other: { grpc: { streams: 1 } } },
    })
  })

  it.each([
    ['a tab', 'listen:\n\tgrpc: x\n', 'f:2:1', /tab/],
    ['wrong indentation', 'listen:\n    grpc: x\n  http: y\n', 'f:3:1', /indentation/],
    ['a key twice', 'listen:\n  grpc: x\n  grpc: y\n', 'f:3:3', /there twice/],
    ['a quote that does not end', 'env: "production\n', 'f:2:1', /quote/],
    ['two documents', 'env: a\n---\nenv: b\n', 'f:2:1', /more than one document/],
    ['an alias of nothing', 'env: *x\n', 'f:1:6', /alias/],
    ['a tag', 'env: !!js/function x\n', 'f:1:6', /tag/],
    ['a list as key', '? [a]\n: b\n', 'f:1:3', /key/],
    ['a byte-order mark', '\uFEFFenv: staging\n', 'f', /byte-order mark/],
    ['nothing', ' \n', 'f', /empty/],
    ['only comments', '# env: staging\n', 'f', /no settings/],
    ['a list at the root', '- env\n', 'f', /list/],
    ['a word at the root', 'production\n', 'f', /plain value/],
  ])('O1: %s is a problem with line and column', (_, text, path, why) => {
    const result = parseYaml(text, 'f')
    expect(result).toMatchObject({ ok: false, problems: [{ path, why: expect.stringMatching(why) }] })
  })

  it.each([
    ['too large', `env: ${'x'.repeat(1024 * 1024)}`, /larger than/],
    ['nested lists', '['.repeat(20_000), /deep/],
    ['nested sections', sections(1400), /deep/],
    ['sections that the stack holds', sections(40), /deep/],
    ['anchors that multiply', bomb(9), /anchors/],
    ['one anchor used a thousand times', `a: &a [x]\nb: [${'*a,'.repeat(1000)}]`, /anchors/],
  ])('O1: a bomb is defused: %s', (_, text, why) => {
    const result = parseYaml(text, 'f')
    expect(result).toMatchObject({ ok: false })
    expect(result.ok ? '' : result.problems[0]?.why).toMatch(why)
  })

  it('O1: keys without end are read in linear time and reported up to a bound', () => {
    const result = parseYaml('a: 1\n'.repeat(50_000), 'f')
    expect(result.ok ? 0 : result.problems.length).toBe(20)
  })
})

function sections(deep: number): string {
  return Array.from({ length: deep }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')
}

function bomb(levels: number): string {
  return ['k0: &k0 [x]', ...Array.from({ length: levels }, (_, level) => bombLine(level + 1))].join('\n')
}

function bombLine(level: number): string {
  return `k${level}: &k${level} [${Array.from({ length: 9 }, () => `*k${level - 1}`).join(', ')}]`
}
