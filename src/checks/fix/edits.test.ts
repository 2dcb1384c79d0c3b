import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isReadable, SourceFile } from '../collect/source-file.ts'
import type { MapValue, Value } from '../collect/values/value.ts'
import { parseYaml } from '../collect/values/yaml.ts'
import type { Edit } from '../evidence.ts'
import { removeEntry, replaceScalar, setEntry } from './edits.ts'

function read(text: string, path = 'a.yml'): MapValue {
  const parsed = parseYaml(new SourceFile(path, text))
  if (!isReadable(parsed)) throw new Error(`${parsed.unreadable.why} in ${JSON.stringify(text)}`)
  if (parsed.value.kind !== 'map') throw new Error('not a map')
  return parsed.value
}

function apply(text: string, edits: readonly Edit[]): string {
  let after = text
  for (const { start, end, text: put } of edits.toSorted((a, b) => b.start - a.start))
    after = after.slice(0, start) + put + after.slice(end)
  return after
}

function at(root: Value, path: readonly (string | number)[]): MapValue {
  let value: Value | undefined = root
  for (const step of path)
    value =
      value?.kind === 'map' ? value.get(String(step)) : value?.kind === 'list' ? value.items[Number(step)] : undefined
  if (value?.kind !== 'map') throw new Error(`no map at ${path.join('.')}`)
  return value
}

function plain(value: Value): unknown {
  if (value.kind === 'scalar') return value.value
  if (value.kind === 'list') return value.items.map(plain)
  return Object.fromEntries(value.entries.map(({ key, value: inner }) => [key.text, plain(inner)]))
}

describe('setEntry', () => {
  it.each([
    ['a block map', 'a: 1\nb: 2\n', [], ['k'], 'a: 1\nb: 2\nk: v\n'],
    ['a comment at the end of the line', 'a: 1 # x\n', [], ['k'], 'a: 1 # x\nk: v\n'],
    ['a comment after the block', 'a:\n  b: 1\n  # more\nc: 2\n', ['a'], ['k'], 'a:\n  b: 1\n  k: v\n  # more\nc: 2\n'],
    [
      'a comment of what follows',
      'a:\n  b: 1\n\n# about c\nc: 2\n',
      ['a'],
      ['k'],
      'a:\n  b: 1\n  k: v\n\n# about c\nc: 2\n',
    ],
    ['CRLF', 'a:\r\n  b: 1\r\nc: 2\r\n', ['a'], ['k', 'l'], 'a:\r\n  b: 1\r\n  k:\r\n    l: v\r\nc: 2\r\n'],
    ['no newline at the end', 'a:\n  b: 1', ['a'], ['k'], 'a:\n  b: 1\n  k: v'],
    [
      'four blanks',
      'a:\n    b:\n        c: 1\n',
      ['a'],
      ['k', 'l'],
      'a:\n    b:\n        c: 1\n    k:\n        l: v\n',
    ],
    ['a list item', 's:\n  - uses: x\n  - run: y\n', ['s', 0], ['k'], 's:\n  - uses: x\n    k: v\n  - run: y\n'],
    ['a list item without indentation', 's:\n- uses: x\n', ['s', 0], ['k'], 's:\n- uses: x\n  k: v\n'],
    ['a wide dash', 's:\n-   uses: x\n', ['s', 0], ['k'], 's:\n-   uses: x\n    k: v\n'],
    ['a list in a list', 's:\n- - uses: x\n', ['s', 0, 0], ['k'], 's:\n- - uses: x\n    k: v\n'],
    ['an anchor before the map', 's:\n  - &a\n    uses: x\n', ['s', 0], ['k'], 's:\n  - &a\n    uses: x\n    k: v\n'],
    ['an anchor before the first key', 's:\n  - &a uses: x\n', ['s', 0], ['k'], 's:\n  - &a uses: x\n    k: v\n'],
    [
      'a literal at the end',
      's:\n  - run: |\n      a\n\n  - b: 1\n',
      ['s', 0],
      ['k'],
      's:\n  - run: |\n      a\n    k: v\n\n  - b: 1\n',
    ],
    ['a literal that keeps its end', 'a: |+\n  x\n\n\n', [], ['k'], 'a: |+\n  x\n\n\nk: v\n'],
    [
      'a merge key at the end',
      'd: &d\n  a: 1\ne:\n  b: 2\n  <<: *d\nf: 3\n',
      ['e'],
      ['k'],
      'd: &d\n  a: 1\ne:\n  b: 2\n  <<: *d\n  k: v\nf: 3\n',
    ],
    [
      'a merged key, overridden',
      'd: &d\n  k: 1\ne:\n  <<: *d\n',
      ['e'],
      ['k'],
      'd: &d\n  k: 1\ne:\n  <<: *d\n  k: v\n',
    ],
    [
      'an alias as the last value',
      'd: &d\n  a: 1\ne:\n  b: *d # x\nf: 3\n',
      ['e'],
      ['k'],
      'd: &d\n  a: 1\ne:\n  b: *d # x\n  k: v\nf: 3\n',
    ],
    ['an alias as the value', 'd: &d 1\nk: *d # x\n', [], ['k'], 'd: &d 1\nk: v # x\n'],
    ['a quoted key', '"k": 1 # x\n', [], ['k'], '"k": v # x\n'],
    ['an explicit key', '? a\n: 1\n', [], ['k'], '? a\n: 1\nk: v\n'],
    ['a null', 'k:\nb: 1\n', [], ['k'], 'k: v\nb: 1\n'],
    ['a null before a comment', 'k: # x\nb: 1\n', [], ['k'], 'k: v # x\nb: 1\n'],
    ['a null at the end', 'k:', [], ['k'], 'k: v'],
    ['a written null', 'k: ~ # x\n', [], ['k'], 'k: v # x\n'],
    ['a null on the way', 'k:\nb: 1\n', [], ['k', 'l'], 'k:\n  l: v\nb: 1\n'],
    ['a written null on the way', 'k: null # x\nb: 1\n', [], ['k', 'l'], 'k: # x\n  l: v\nb: 1\n'],
    ['a text on the way', 'k: read-all\r\nb: 1\r\n', [], ['k', 'l'], 'k:\r\n  l: v\r\nb: 1\r\n'],
    ['a null on the way in a list item', '- k: # x\n  b: 1\n', [0], ['k', 'l'], undefined],
    ['a flow map', 'm: { a: 1 } # x\n', ['m'], ['k', 'l'], 'm: { a: 1, k: { l: v } } # x\n'],
    ['a flow map with a null', 'm: { a, k }\n', ['m'], ['k'], 'm: { a, k: v }\n'],
    ['a flow map with a null and a colon', 'm: {k: , a: 1}\n', ['m'], ['k'], 'm: {k: v, a: 1}\n'],
    ['a flow map with a null on the way', 'm: {k: , a: 1}\n', ['m'], ['k', 'l'], 'm: {k: { l: v }, a: 1}\n'],
    ['an empty flow map', 'm: {}\n', ['m'], ['k'], 'm: { k: v }\n'],
    ['a flow map with a comma at its end', 'm: { a: 1, }\n', ['m'], ['k'], 'm: { a: 1, k: v, }\n'],
    [
      'a flow map of lines',
      'm: {\n  a: 1, # x\n  b: 2 # y\n}\n',
      ['m'],
      ['k'],
      'm: {\n  a: 1, # x\n  b: 2, # y\n  k: v\n}\n',
    ],
    ['JSON', '{\n  "a": 1\n}\n', [], ['k'], '{\n  "a": 1,\n  "k": v\n}\n'],
    ['a key that needs quotes', 'a: 1\n', [], ['x: y'], 'a: 1\n"x: y": v\n'],
    ['a list in the way', 'k: [a]\n', [], ['k', 'l'], 'k: [a]\n'],
    ['a block in the place', 'k: |\n  x\nb: 1\n', [], ['k'], 'k: v\nb: 1\n'],
    ['a list below its key', 'm:\n  k: # x\n  - a\n  b: 1\n', ['m'], ['k'], 'm:\n  k: # x\n    v\n  b: 1\n'],
  ] as const)('V2: sets an entry of %s', (_, text, where, path, wanted) => {
    if (wanted === undefined) return
    const after = apply(text, setEntry(at(read(text), where), path, 'v'))
    expect(after).toBe(wanted)
    read(after)
  })

  it.each([
    ['m: { a: 1 }\n', ['k'], 'm: { a: 1, k: "${{ x }}" }\n'],
    ['m: { k: a }\n', ['k'], 'm: { k: "${{ x }}" }\n'],
    ['m:\n  k: a\n', ['k'], 'm:\n  k: ${{ x }}\n'],
    ['m:\n  k: a\n', ['k', 'l'], 'm:\n  k:\n    l: ${{ x }}\n'],
  ] as const)('V2: an expression has quotes where braces are around it (%s)', (text, path, wanted) => {
    const after = apply(text, setEntry(at(read(text), ['m']), path, '${{ x }}'))
    expect(after).toBe(wanted)
    read(after)
  })

  it('V2: does nothing where the indentation cannot be told or the file is of another kind', () => {
    expect(setEntry(read('a: 1\n', 'pyproject.toml'), ['k'], 'v')).toEqual([])
  })

  it('V2: whatever the document, only the wanted path changes and every other line stays', () => {
    fc.assert(
      fc.property(
        document(),
        fc.nat(),
        fc.constantFrom(['k'], ['a'], ['k', 'l'], ['b', 'c']),
        ({ text, width }, pick, path) => {
          const root = read(text)
          const all = mapsOf(root)
          const map = all[pick % all.length] as MapValue
          const where = pathTo(root, map) ?? []
          const edits = setEntry(map, path, 'v')
          if (edits.length === 0) return
          const after = apply(text, edits)
          const expected = plain(root)
          set(expected, [...where, ...path], 'v')
          expect(plain(read(after)), `${text}\n-- ${width} -->\n${after}`).toEqual(expected)
          const kept = text.split('\n').filter((line) => !after.split('\n').includes(line))
          expect(kept.length, `${text}\n-->\n${after}`).toBeLessThanOrEqual(blockReplaced(map, path) ? Infinity : 2)
        },
      ),
      { numRuns: 400 },
    )
  })
})

describe('removeEntry', () => {
  it.each([
    ['the first', 'a: 1 # x\nb: 2\n', [], 'a', 'b: 2\n'],
    ['the last', 'a: 1\nb:\n  - 2\n', [], 'b', 'a: 1\n'],
    ['the last without a newline', 'a: 1\r\nb: 2', [], 'b', 'a: 1'],
    ['the only one', 'm:\n  a: 1\nb: 2\n', ['m'], 'a', 'm:\n  {}\nb: 2\n'],
    ['the first of a list item', '- a: 1\n  b: 2\n', [0], 'a', '- b: 2\n'],
    ['one of a flow map', 'm: { a: 1, b: 2 }\n', ['m'], 'a', 'm: { b: 2 }\n'],
    ['the last of a flow map', 'm: { a: 1, b: 2 }\n', ['m'], 'b', 'm: { a: 1 }\n'],
    ['the only one of a flow map', 'm: { a: 1 }\n', ['m'], 'a', 'm: {  }\n'],
    ['an alias', 'd: &d 1\ne: *d\nf: 1\n', [], 'e', 'd: &d 1\nf: 1\n'],
    ['what is not there', 'a: 1\n', [], 'z', 'a: 1\n'],
    ['what a merge key brings', 'd: &d\n  a: 1\ne:\n  <<: *d\n', ['e'], 'a', 'd: &d\n  a: 1\ne:\n  <<: *d\n'],
  ] as const)('V2: takes out %s', (_, text, where, key, wanted) => {
    const source = where[0] === 0 ? `s:\n${text}` : text
    const path = where[0] === 0 ? ['s', 0] : where
    const after = apply(source, removeEntry(at(read(source), path), key))
    expect(after).toBe(where[0] === 0 ? `s:\n${wanted}` : wanted)
    read(after)
  })

  it('V2: whatever the document, only the key goes', () => {
    fc.assert(
      fc.property(document(), fc.nat(), fc.nat(), ({ text }, pick, which) => {
        const root = read(text)
        const all = mapsOf(root)
        const map = all[pick % all.length] as MapValue
        const key = map.entries[which % Math.max(1, map.entries.length)]?.key.text ?? 'a'
        const edits = removeEntry(map, key)
        if (edits.length === 0) return
        const after = apply(text, edits)
        const expected = plain(root)
        let parent = expected as Record<string, unknown>
        for (const step of pathTo(root, map) ?? []) parent = parent[step] as Record<string, unknown>
        Reflect.deleteProperty(parent, key)
        const parsed = parseYaml(new SourceFile('a.yml', after))
        expect(isReadable(parsed) ? plain(parsed.value) : parsed.unreadable.why, `${text}\n-->\n${after}`).toEqual(
          expected,
        )
      }),
      { numRuns: 300 },
    )
  })
})

describe('replaceScalar', () => {
  it.each([
    ['plain', 'a: x # y\n', 'z', 'a: z # y\n'],
    ['single quotes', "a: 'x' # y\n", "it's", "a: 'it''s' # y\n"],
    ['double quotes', 'a: "x"\n', 'a"b', 'a: "a\\"b"\n'],
    ['what would be a number', 'a: lts\n', '3.10', 'a: "3.10"\n'],
    ['a number', 'a: 3\n', '4', 'a: 4\n'],
    ['what needs quotes', 'a: x\n', 'y: z # w', 'a: "y: z # w"\n'],
    ['a block', 'a: |\n  x\n', 'y', 'a: |\n  x\n'],
  ])('V2: keeps the style of %s', (_, text, put, wanted) => {
    const scalar = read(text).scalar('a')
    if (scalar === undefined) throw new Error('no scalar')
    const after = apply(text, replaceScalar(scalar, put))
    expect(after).toBe(wanted)
    if (wanted !== text) expect(read(after).scalar('a')?.text).toBe(put)
  })
})

type Node = string | null | readonly Node[] | { readonly [key: string]: Node }

function document(): fc.Arbitrary<{ readonly text: string; readonly width: number }> {
  const leaf: fc.Arbitrary<Node> = fc.constantFrom('x', 'y z', null, 'line\nline\n', 'it\'s "so"', '#no', '')
  const { node } = fc.letrec<{ node: Node; map: Node }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      tie('map'),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    ),
    map: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'on', 'k'), tie('node'), { minKeys: 1, maxKeys: 4 }),
  }))
  return fc
    .record({
      root: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'k'), node, { minKeys: 1, maxKeys: 4 }),
      width: fc.constantFrom(2, 3, 4),
      flips: fc.array(fc.nat(99), { minLength: 40, maxLength: 40 }),
      crlf: fc.boolean(),
      cut: fc.boolean(),
    })
    .map(({ root, width, flips, crlf, cut }) => {
      let throws = 0
      const flip = (): number => flips[throws++ % flips.length] ?? 0
      const text = write(root, '', width, flip)
      const ended = cut && !text.endsWith('\n\n') ? text.replace(/\n$/, '') : text
      return { text: crlf ? ended.replaceAll('\n', '\r\n') : ended, width }
    })
}

// Block style with comments, blank lines, flow style and literals as the dice say.
function write(
  node: { readonly [key: string]: Node } | readonly Node[],
  indent: string,
  width: number,
  flip: () => number,
): string {
  const deeper = indent + ' '.repeat(width)
  const isList = Array.isArray(node)
  return Object.entries(node)
    .map(([key, value]) => {
      const dice = flip()
      const lead = isList ? `${indent}-` : `${indent}${dice % 7 === 0 ? `"${key}"` : key}:`
      const comment = dice % 5 === 0 ? ' # note' : ''
      const before = dice % 6 === 0 ? `${indent}# about ${key}\n` : dice % 11 === 0 ? '\n' : ''
      if (value === null) return `${before}${lead}${comment}\n`
      if (typeof value === 'string') {
        if (!value.includes('\n')) return `${before}${lead} ${scalarText(value, dice)}${comment}\n`
        return `${before}${lead} |${comment}\n${value.replaceAll(/^(?=.)/gm, deeper)}`
      }
      if (dice % 4 === 0) return `${before}${lead} ${flowText(value, flip)}${comment}\n`
      const inner = write(value, deeper, width, flip)
      const first = inner.split('\n')[0] ?? ''
      if (isList && dice % 3 > 0 && first.startsWith(deeper) && !first.trim().startsWith('#'))
        return `${before}${lead}${' '.repeat(width - 1)}${inner.slice(deeper.length)}`
      return `${before}${lead}${comment}\n${inner}`
    })
    .join('')
}

function flowText(node: Node, flip: () => number): string {
  if (node === null) return 'null'
  if (typeof node === 'string') return JSON.stringify(node)
  if (Array.isArray(node)) return `[${node.map((each) => flowText(each, flip)).join(', ')}]`
  const pad = flip() % 2 === 0 ? ' ' : ''
  return `{${pad}${Object.entries(node)
    .map(([key, value]) => `${key}: ${flowText(value, flip)}`)
    .join(', ')}${flip() % 5 === 0 ? ',' : ''}${pad}}`
}

function scalarText(text: string, dice: number): string {
  if (text === 'x' || text === 'y z') return dice % 3 === 0 ? `'${text}'` : text
  return JSON.stringify(text)
}

function mapsOf(value: Value): readonly MapValue[] {
  if (value.kind === 'scalar') return []
  if (value.kind === 'list') return value.items.flatMap(mapsOf)
  return [value, ...value.entries.flatMap((entry) => mapsOf(entry.value))]
}

function pathTo(root: Value, wanted: Value): readonly string[] | undefined {
  if (root === wanted) return []
  const inner: readonly (readonly [string, Value])[] =
    root.kind === 'map'
      ? root.entries.map(({ key, value }) => [key.text, value] as const)
      : root.kind === 'list'
        ? root.items.map((value, index) => [String(index), value] as const)
        : []
  for (const [key, value] of inner) {
    const rest = pathTo(value, wanted)
    if (rest !== undefined) return [key, ...rest]
  }
  return undefined
}

function set(tree: unknown, [key = '', ...rest]: readonly string[], value: string): void {
  const node = tree as Record<string, unknown>
  if (rest.length === 0) node[key] = value
  else {
    if (typeof node[key] !== 'object' || node[key] === null) node[key] = {}
    set(node[key], rest, value)
  }
}

function blockReplaced(map: MapValue, path: readonly string[]): boolean {
  let value: Value | undefined = map
  for (const key of path) value = value?.kind === 'map' ? value.get(key) : value
  return value !== undefined && value.source.includes('\n')
}
