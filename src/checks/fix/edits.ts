import type { Edit } from '../evidence.ts'
import type { MapValue } from '../collect/value.ts'

/**
 * The edits that set a value at a path of keys, making the maps on the way. What stands around it, comments, order, quoting and line
 * ends, stays as it is. `text` is YAML as it is to be written.
 */
export function setEntry(map: MapValue, path: readonly [string, ...string[]], text: string): readonly Edit[] {
  const [key, ...rest] = path
  const { file } = map
  const existing = map.get(key)
  const [next, ...others] = rest
  if (existing?.kind === 'map' && next !== undefined) return setEntry(existing, [next, ...others], text)
  if (existing !== undefined && next === undefined)
    return [{ path: file.path, start: existing.start, end: existing.end, text }]
  if (map.flow) {
    const inner = rest.reduceRight((value, name) => `{ ${name}: ${value} }`, text)
    const at = map.entries.at(-1)?.value.end ?? map.start + 1
    const comma = map.entries.length > 0 ? ', ' : ' '
    return [{ path: file.path, start: at, end: at, text: `${comma}${key}: ${inner}` }]
  }
  const indent = ' '.repeat(file.place(map.start).column - 1)
  const lines = [key, ...rest].map((name, depth) => `${indent}${'  '.repeat(depth)}${name}:`)
  const block = `${lines.join(file.lineEnd)} ${text}`
  const at = endOfLine(file.text, map.entries.at(-1)?.value.end ?? map.end)
  return [{ path: file.path, start: at, end: at, text: `${file.lineEnd}${block}` }]
}

function endOfLine(text: string, from: number): number {
  const before = from > 0 && text[from - 1] === '\n' ? from - 1 : from
  const newline = text.indexOf('\n', before)
  if (newline === -1) return text.length
  return newline > 0 && text[newline - 1] === '\r' ? newline - 1 : newline
}
