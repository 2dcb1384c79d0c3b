import { describe, expect, it } from 'vitest'
import { isReadable, SourceFile, type Parsed } from '../source-file.ts'
import { MapValue, ScalarValue, type Value } from './value.ts'
import { parseYaml, parseYamlDocuments } from './yaml.ts'

const read = (text: string): Parsed<Value> => parseYaml(new SourceFile('a.yml', text))
function map(text: string): MapValue {
  const parsed = read(text)
  if (!isReadable(parsed) || !(parsed.value instanceof MapValue)) throw new Error(JSON.stringify(parsed))
  return parsed.value
}
function why(text: string): string {
  const parsed = read(text)
  return isReadable(parsed) ? 'read' : parsed.unreadable.why
}
const tens = (inner: string): string => Array.from({ length: 10 }, () => inner).join(', ')

describe('parseYaml', () => {
  it('V10: a bomb of anchors is refused before it unfolds', () => {
    const levels = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${tens(`*a${at}`)}]`)
    expect(why(['a0: &a0 [x, x]', ...levels].join('\n'))).toMatch(/more than 200000 values/)
  })

  it('V10: chains of merge keys are refused before they explode', () => {
    const chain = Array.from({ length: 1500 }, (_, at) => `m${at + 1}: &m${at + 1} { <<: *m${at}, k${at + 1}: 1 }`)
    expect(why(['m0: &m0 { k0: 1 }', ...chain].join('\n'))).toMatch(/merge keys bring more than 200000/)
  })

  it.each([
    ['an anchor in itself', 'a: &a [*a]', /refers to no anchor before it/],
    ['an unknown alias', 'a: *b', /\*?b/],
    ['a key twice', 'a: 1\na: 2\n', /"a" is there twice/],
    ['a tab as indentation', 'a:\n\tb: 1\n', /[Tt]abs/],
    ['a map as a key', '? { a: 1 }\n: 2\n', /not plain text/],
    ['two documents', 'a: 1\n---\nb: 2\n', /multiple documents/],
    ['deep nesting', '['.repeat(5000), /nested too deeply|must/],
    ['a flood of lines', 'a\n'.repeat(300_000), /more than 250000 lines/],
  ])('V10: %s is said plainly', (_, text, wanted) => {
    expect(why(text)).toMatch(wanted)
  })

  it('V10: duplicates of merge keys are overridden, own keys and earlier merges first', () => {
    const value = map('a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc:\n  <<: [*a, *b]\n  x: 3\n').map('c')
    expect(value?.entries.map(({ key, value: v, merged = false }) => [key.text, v.source, merged])).toEqual([
      ['x', '3', false],
      ['y', '1', true],
      ['z', '2', true],
    ])
  })

  it('V10: booleans and numbers are those of YAML 1.2, as GitHub reads them, and keep their text', () => {
    const value = map('on: push\na: yes\nb: off\nc: True\nd: 3.10\ne: 0o17\nf: 1_000\ng: ~\n')
    expect(
      value.entries.map(({ key, value: v }) => [
        key.text,
        v.kind === 'scalar' && v.value,
        v.kind === 'scalar' && v.text,
      ]),
    ).toEqual([
      ['on', 'push', 'push'],
      ['a', 'yes', 'yes'],
      ['b', 'off', 'off'],
      ['c', true, 'True'],
      ['d', 3.1, '3.10'],
      ['e', 15, '0o17'],
      ['f', '1_000', '1_000'],
      ['g', null, ''],
    ])
  })

  it('V10: a byte-order mark and CRLF move no place', () => {
    const value = map('\uFEFFa: 1\r\nb:\r\n  c: x\r\n').map('b')?.scalar('c')
    expect(value?.file.place(value.start)).toEqual({ line: 3, column: 6 })
  })

  it('V10: an empty file is null, and empty documents are left out of many', () => {
    expect(read('')).toMatchObject({ value: { value: null } })
    expect(parseYamlDocuments(new SourceFile('a.yml', '---\n---\na: 1\n---\n'))).toMatchObject({
      value: [{ kind: 'map' }],
    })
  })

  it('V10: the places that an anchor shares are counted', () => {
    const { file } = map('a: &a\n  x: 1\nb: *a\nc: *a\nd: 1\n')
    expect([file.usesAt(9), file.usesAt(file.text.indexOf('d:'))]).toEqual([3, 1])
  })
})

describe('ScalarValue.inside', () => {
  const place = (text: string, word: string): string => {
    const scalar = map(text).get('a')
    if (!(scalar instanceof ScalarValue)) throw new Error('no scalar')
    const at = scalar.text.indexOf(word)
    const { file, start, end } = scalar.inside(at, at + word.length)
    const { line, column } = file.place(start)
    return `${line}:${column} ${file.text.slice(start, end)}`
  }
  it.each([
    ['a literal block', 'a: |\n  one\n  two three\n', 'three', '3:7 three'],
    ['a literal block with blank lines', 'a: |\n\n  one\n\n\n  two three\n', 'three', '6:7 three'],
    ['a literal block with an indentation indicator', 'a: |2\n    one\n  two\n', 'two', '3:3 two'],
    ['deeper lines of a literal block', 'a: |\n  if\n    two\n  fi\n', 'two', '3:5 two'],
    ['CRLF', 'a: |\r\n  one\r\n  two three\r\n', 'three', '3:7 three'],
    ['a chomping indicator and a comment', 'a: |- # x\n  one\n  two\n', 'two', '3:3 two'],
    ['the same line twice', 'a: |\n  x\n  x y\n', 'x y', '3:3 x y'],
    ['a folded block', 'a: >\n  one\n  two\n\n  three four\n', 'four', '5:9 four'],
    ['single quotes', "a: 'one two'\n", 'two', '1:9 two'],
    ['double quotes over lines', 'a: "one\n  two"\n', 'two', '2:3 two'],
    ['a plain scalar over lines', 'a: one\n  two\n', 'two', '2:3 two'],
    ['a tag', 'a: !!str one two\n', 'two', '1:14 two'],
  ])('V10: finds a word in %s', (_, text, word, wanted) => {
    expect(place(text, word)).toBe(wanted)
  })

  it('V10: a stretch over lines covers both', () => {
    expect(place('a: |\n  one\n  two\n', 'one\ntwo')).toBe('2:3 one\n  two')
  })

  it('V10: escapes hide where a word stands: the whole scalar is named', () => {
    expect(place('a: "\\u006fne"\n', 'ne')).toBe('1:4 "\\u006fne"')
    expect(place("a: 'it''s so'\n", 'so')).toBe("1:4 'it''s so'")
  })
})

it('V10: dashes that nest without end are not read', () => {
  expect(why('- '.repeat(500_000))).toContain('lines and indicators')
})
