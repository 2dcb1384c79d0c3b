import type { MemberNode, ValueNode } from '@humanwhocodes/momoa'
import type { Parsed, SourceFile, Spot } from '../source-file.ts'
import { guarded, Unreadable } from '../unreadable.ts'
import { ListValue, MapValue, ScalarValue, type Entry, type Value } from './value.ts'

const depthMax = 200

/** `json` as it is in the standard, `jsonc` with comments and trailing commas, `json5` with everything of JSON5. */
export type JsonDialect = 'json' | 'jsonc' | 'json5'

/** Reads a file of JSON. A key that is there twice makes it unreadable: readers disagree on which one counts. */
export async function parseJson(file: SourceFile, dialect: JsonDialect = 'json'): Promise<Parsed<Value>> {
  const { parse } = await import('@humanwhocodes/momoa')
  return guarded(file, () => {
    const read = (): ValueNode => {
      try {
        return parse(file.text, { mode: dialect, ranges: true, allowTrailingCommas: dialect !== 'json' }).body
      } catch (cause) {
        throw asUnreadable(file, cause)
      }
    }
    return valueOf(file, read(), 0)
  })
}

function valueOf(file: SourceFile, node: ValueNode, depth: number): Value {
  const spot = spotOf(file, node.range)
  if (depth > depthMax) throw new Unreadable(spot.start, 'It is nested too deeply.')
  if (node.type === 'Object') return new MapValue(spot, entriesOf(file, node.members, depth), true)
  if (node.type === 'Array') {
    const items = node.elements.map(({ value }) => valueOf(file, value, depth + 1))
    return new ListValue(spot, items, true)
  }
  if (node.type === 'String') return new ScalarValue(spot, node.value, node.value, 'quoted')
  if (node.type === 'Null') return new ScalarValue(spot, null, '')
  if (node.type === 'NaN') return new ScalarValue(spot, Number.NaN, written(spot))
  if (node.type === 'Infinity') return new ScalarValue(spot, node.sign === '-' ? -Infinity : Infinity, written(spot))
  return new ScalarValue(spot, node.value, written(spot))
}

function entriesOf(file: SourceFile, members: readonly MemberNode[], depth: number): readonly Entry[] {
  const seen = new Set<string>()
  return members.map(({ name, value }) => {
    const spot = spotOf(file, name.range)
    const key =
      name.type === 'String'
        ? new ScalarValue(spot, name.value, name.value, 'quoted')
        : new ScalarValue(spot, name.name, name.name)
    if (seen.has(key.text)) throw new Unreadable(key.start, `The key "${key.text}" is there twice.`)
    seen.add(key.text)
    return { key, value: valueOf(file, value, depth + 1) }
  })
}

function spotOf(file: SourceFile, range: readonly [number, number] | readonly number[] | undefined): Spot {
  return { file, start: range?.[0] ?? 0, end: range?.[1] ?? 0 }
}

function written({ file, start, end }: Spot): string {
  return file.text.slice(start, end)
}

// The library says where a token is unexpected, but gives an end that came too early the first place of the file.
function asUnreadable(file: SourceFile, cause: unknown): unknown {
  if (cause instanceof RangeError || !(cause instanceof Error)) return cause
  const offset = 'offset' in cause && typeof cause.offset === 'number' ? cause.offset : 0
  const what = cause.message.replace(/\s*\(\d+:\d+\)$/, '').replace(/\.$/, '')
  if (/end of input/i.test(what)) return new Unreadable(file.text.trimEnd().length, 'It ends in the middle of a value.')
  return new Unreadable(offset, `${what}.`)
}
