import { describe, expect, it } from 'vitest'
import { parseJson, type JsonDialect } from './json5.ts'
import { isReadable, SourceFile } from '../source-file.ts'
import { parseToml } from './toml.ts'
import type { Value } from './value.ts'

function plain(value: Value): unknown {
  if (value.kind === 'list') return value.items.map(plain)
  if (value.kind === 'map')
    return Object.fromEntries(value.entries.map((entry) => [entry.key.text, plain(entry.value)]))
  return value.value
}

async function read(text: string, dialect: JsonDialect | 'toml'): Promise<unknown> {
  const file = new SourceFile('f', text)
  const parsed = await (dialect === 'toml' ? parseToml(file) : parseJson(file, dialect))
  if (isReadable(parsed)) return plain(parsed.value)
  return `${file.place(parsed.unreadable.offset).line}: ${parsed.unreadable.why}`
}

describe('JSON and TOML', () => {
  it.each([
    ['json5', "\uFEFF{\r\n  // why\r\n  a: 1, 'b': [0x10, .5, 'x',],\r\n}", { a: 1, b: [16, 0.5, 'x'] }],
    ['jsonc', '{ /* why */ "a": [1, 2,] }', { a: [1, 2] }],
    ['json', '{ "a": null, "b": "\\u00e9" }', { a: null, b: 'é' }],
    ['json', '{ "a": 1,\n "a": 2 }', '2: The key "a" is there twice.'],
    ['json', '{\n "a":', '2: It ends in the middle of a value.'],
    ['json', '{\n "a": 1 } x', "2: Unexpected character 'x' found."],
    ['json5', '['.repeat(20_000), '1: It is nested too deeply.'],
    ['json', `${'['.repeat(300)}${']'.repeat(300)}`, '1: It is nested too deeply.'],
    [
      'toml',
      '\uFEFFa.b = 1\r\n[x]\r\ny = "z"\r\n[x.w]\r\nv = [1,\r\n2]\r\n',
      { a: { b: 1 }, x: { y: 'z', w: { v: [1, 2] } } },
    ],
    [
      'toml',
      '[[p]]\nn = "a"\n[p.q]\nr = 1\n[[p]]\nn = { "b" = 1979-05-27 }',
      { p: [{ n: 'a', q: { r: 1 } }, { n: { b: '1979-05-27' } }] },
    ],
    ['toml', 'a = 1\na = 2', '2: Defining a key multiple times is invalid.'],
    ['toml', 'a = 1\nb = [1', '2: Unterminated array.'],
    ['toml', `a = ${'['.repeat(20_000)}1${']'.repeat(20_000)}`, '1: It is nested too deeply.'],
  ] as const)('V10: %s %j', async (dialect, text, expected) => {
    expect(await read(text, dialect)).toEqual(expected)
  })

  it('V10: a value stands where it is written', async () => {
    const json = await parseJson(new SourceFile('f', '{ "a": [ "b" ] }'))
    const toml = await parseToml(new SourceFile('f', '[x]\ny = "b"\n'))
    if (!isReadable(json) || !isReadable(toml) || json.value.kind !== 'map') throw new Error('unreadable')
    expect(json.value.list('a')?.items[0]?.source).toBe('"b"')
    expect(toml.value.map('x')?.scalar('y')?.source).toBe('"b"')
    expect(toml.value.map('x')?.source).toBe('[x]\ny = "b"')
  })
})
