import { parseDocument, isScalar, isSeq } from 'yaml'
import type { Edit } from '../evidence.ts'
import type { SourceFile } from '../collect/source-file.ts'
import type { Entry, MapValue, ScalarValue, Value } from '../collect/values/value.ts'

type Path = readonly [string, ...string[]]

/**
 * The edits that set a value at a path of keys, making the maps on the way. What stands around it, comments, order, quoting and line
 * ends, stays as it is. `text` is YAML of one line as it is to be written. No edits where it cannot be done so: a list stands in the
 * way, or the file is not YAML or JSON.
 */
export function setEntry(map: MapValue, path: Path, text: string): readonly Edit[] {
  if (map.file.path.endsWith('.toml')) return []
  const [key, ...rest] = path
  const entry = map.entry(key)
  // What a merge key brought is overridden, not changed where it stands: other maps have it too.
  if (entry === undefined || (entry.merged === true && !isPath(rest))) return addEntry(map, path, text)
  if (!isPath(rest)) return replaced(entry, map.flow ? inFlow(text) : text)
  if (entry.value.kind === 'map') return setEntry(entry.value, rest, text)
  return entry.value.kind === 'scalar' && entry.merged !== true ? nested(map, entry, rest, text) : []
}

/** The edits that take a key and its value out of a map; the last one leaves `{}`. */
export function removeEntry(map: MapValue, key: string): readonly Edit[] {
  const own = map.entries.filter(({ merged }) => merged !== true)
  const at = own.findIndex((entry) => entry.key.text === key)
  const entry = own[at]
  if (entry === undefined || map.file.path.endsWith('.toml')) return []
  const { text } = map.file
  const end = entry.alias?.end ?? endOf(entry.value, entry.key.end)
  const next = own[at + 1]
  const previous = own[at - 1]
  if (map.flow) {
    if (next !== undefined) return [edit(map, entry.key.start, next.key.start, '')]
    if (previous !== undefined) return [edit(map, endOfEntry(previous), end, '')]
    const [comma = ''] = /^\s*,/.exec(text.slice(end, map.end)) ?? []
    return [edit(map, entry.key.start, end + comma.length, '')]
  }
  // A merge key beside it keeps the map; what is left of a map without any key is null, which is another value.
  if (own.length === 1)
    return endOf(map, end) > end || map.start < entry.key.start
      ? []
      : [edit(map, map.start, end, text[end] === '#' ? '{} ' : '{}')]
  const lineStart = text.lastIndexOf('\n', entry.key.start - 1) + 1
  if (text.slice(lineStart, entry.key.start).trim() === '') {
    const newline = text.indexOf('\n', Math.max(end - 1, entry.key.end))
    if (newline !== -1) return [edit(map, lineStart, newline + 1, '')]
    // It ends the file without a newline: the one before it goes.
    return [edit(map, Math.max(0, lineStart - (text[lineStart - 2] === '\r' ? 2 : 1)), text.length, '')]
  }
  // It shares its line with the dash of a list: the next one takes its place.
  return next === undefined || !/^[ -]*$/.test(text.slice(lineStart, entry.key.start))
    ? []
    : [edit(map, entry.key.start, next.key.start, '')]
}

/** The edits that put another text in the place of a scalar, quoted as it is quoted. None for a block of lines. */
export function replaceScalar(scalar: ScalarValue, text: string): readonly Edit[] {
  const { source, file, style } = scalar
  if (style === 'literal' || style === 'folded') return []
  if (style === 'plain') return [edit(scalar, scalar.start, scalar.end, plain(scalar, text))]
  if (source.startsWith('"')) return [edit(scalar, scalar.start, scalar.end, JSON.stringify(text))]
  const quote = /\.json5?$/.test(file.path) ? "\\'" : "''"
  if (/[\r\n]/.test(text)) return []
  const escaped = quote === "\\'" ? text.replaceAll('\\', '\\\\') : text
  return [edit(scalar, scalar.start, scalar.end, `'${escaped.replaceAll("'", quote)}'`)]
}

function addEntry(map: MapValue, path: Path, text: string): readonly Edit[] {
  if (map.flow) return addToFlow(map, path, text)
  const indent = indentOf(map)
  if (indent === undefined) return []
  const at = endOfLine(map.file.text, map.contentEnd)
  const newline = lineEndAt(map.file, at)
  return [edit(map, at, at, `${newline}${lines(map, path, text, indent).join(newline)}`)]
}

function addToFlow(map: MapValue, path: Path, text: string): readonly Edit[] {
  const source = map.file.text
  const own = map.entries.filter(({ merged }) => merged !== true)
  const last = own.at(-1)
  const json = isJson(map) || (last?.key.style === 'quoted' && last.key.source.startsWith('"'))
  const written = flow(path, text, json)
  if (/^\{\s*\}$/.test(map.source)) {
    const inner = map.source.slice(1, -1)
    return [edit(map, map.start + 1, map.start + 1 + inner.length, ` ${written} `)]
  }
  const at = map.contentEnd
  // Only comments in the braces.
  if (at <= map.start + 1) return [edit(map, at, at, ` ${written},`)]
  const lineStart = source.lastIndexOf('\n', (last?.key.start ?? at) - 1) + 1
  const indent = source.slice(lineStart, last?.key.start ?? at)
  const rest = source.slice(at, endOfLine(source, at))
  const ownLine = lineStart > map.start && indent.trim() === '' && /^\s*,?\s*(?:(?:#|\/\/).*)?$/.test(rest)
  if (!ownLine) return [edit(map, at, at, `, ${written}`)]
  const stop = at + rest.length
  const trailing = rest.trimStart().startsWith(',')
  const line = edit(map, stop, stop, `${lineEndAt(map.file, stop)}${indent}${written}${trailing ? ',' : ''}`)
  if (trailing) return [line]
  return stop === at ? [{ ...line, text: `,${line.text}` }] : [edit(map, at, at, ','), line]
}

// In the place of what stands there: an alias, a block, or nothing at all.
function replaced({ key, value, alias }: Entry, text: string): readonly Edit[] {
  if (alias !== undefined) return [edit(alias, alias.start, alias.end, text)]
  const source = value.file.text
  if (value.kind === 'scalar' && value.start === value.end) {
    const before = source.slice(key.end, value.start)
    const colon = before.includes(':') ? '' : ':'
    const blank = colon !== '' || !/\s/.test(source.charAt(value.start - 1)) ? ' ' : ''
    const after = /[\s,}\]]/.test(source.charAt(value.start)) || value.start === source.length ? '' : ' '
    return [edit(value, value.start, value.start, `${colon}${blank}${text}${after}`)]
  }
  const end = endOf(value, value.start)
  // The items of a list may stand below their key; anything else stands further in.
  const outer =
    value.kind === 'list' && !value.flow && value.file.place(value.start).column <= key.file.place(key.start).column
  return [edit(value, value.start, end, `${outer ? '  ' : ''}${text}${source[end] === '#' ? ' ' : ''}`)]
}

// `with:` without a value, or with one that is no map, becomes a map.
function nested(map: MapValue, entry: Entry, path: Path, text: string): readonly Edit[] {
  const { value, key, alias } = entry
  const indent = indentOf(map)
  if (map.flow || indent === undefined) return replaced(entry, `{ ${flow(path, text, isJson(map))} }`)
  const { file } = map
  const spot = alias ?? value
  const end = alias?.end ?? endOf(value, key.end)
  if (file.text.slice(spot.start, end).includes('\n') || !file.text.slice(key.end, spot.start).includes(':'))
    return replaced(entry, `{ ${flow(path, text, isJson(map))} }`)
  const at = endOfLine(file.text, end)
  const newline = lineEndAt(file, at)
  const block = edit(map, at, at, `${newline}${lines(map, path, text, `${indent}${step(map)}`).join(newline)}`)
  if (spot.start === end) return [block]
  const from = file.text[spot.start - 1] === ' ' ? spot.start - 1 : spot.start
  return end === at ? [{ ...block, start: from }] : [edit(map, from, end, ''), block]
}

function lines(map: MapValue, [key, ...rest]: Path, text: string, indent: string): readonly string[] {
  if (!isPath(rest)) return [`${indent}${keyText(key)}: ${text}`]
  return [`${indent}${keyText(key)}:`, ...lines(map, rest, text, `${indent}${step(map)}`)]
}

function flow([key, ...rest]: Path, text: string, json: boolean): string {
  const written = json ? JSON.stringify(key) : keyText(key)
  return `${written}: ${isPath(rest) ? `{ ${flow(rest, text, json)} }` : inFlow(text)}`
}

// A brace or a comma ends a plain text in braces: an expression needs quotes there.
function inFlow(text: string): string {
  return /^[^\s"'[{].*[,[\]{}]/.test(text) ? JSON.stringify(text) : text
}

function isJson({ file }: MapValue): boolean {
  return /\.json$/i.test(file.path)
}

function keyText(key: string): string {
  return /^[A-Za-z_][\w./-]*$/.test(key) && !/^(?:null|true|false)$/i.test(key) ? key : JSON.stringify(key)
}

// The blanks before the keys of a block map; a dash before its first key counts as one, an anchor does not.
function indentOf(map: MapValue): string | undefined {
  const source = map.file.text
  const before = source.slice(source.lastIndexOf('\n', map.start - 1) + 1, map.start)
  const [, indicators, properties] = /^((?: |[-?:] )*)((?:[&!]\S* +)*)$/.exec(before) ?? []
  return indicators === undefined || properties === undefined ? undefined : ' '.repeat(indicators.length)
}

// How far a map in this one is indented: as one that is there, else as the first indented line of the file.
function step(map: MapValue): string {
  const column = map.file.place(map.start).column
  for (const { value, merged, alias } of map.entries) {
    if (value.kind !== 'map' || value.flow || merged === true || alias !== undefined) continue
    const deeper = map.file.place(value.start).column - column
    if (deeper > 0 && deeper <= 8) return ' '.repeat(deeper)
  }
  const [, first = '  '] = /\n( {1,8})[^\s#-]/.exec(map.file.text) ?? []
  return first
}

// A plain text stays plain where it means the same text, and a text where it was one.
function plain({ value }: ScalarValue, text: string): string {
  const document = parseDocument(`[${text}]`, { logLevel: 'silent', prettyErrors: false })
  const list = document.contents
  const [only, more] = isSeq(list) ? list.items : []
  const same = document.errors.length === 0 && more === undefined && isScalar(only) && only.source === text
  const fits = same && !/[\r\n]/.test(text) && only.type === 'PLAIN'
  return fits && (typeof value !== 'string' || typeof only.value === 'string') ? text : JSON.stringify(text)
}

function endOfEntry({ key, value, alias }: Entry): number {
  return alias?.end ?? endOf(value, key.end)
}

// A block collection ends with its last item; a block of lines before its last line end.
function endOf(value: Value, keyEnd: number): number {
  const end = value.kind === 'scalar' || value.flow ? value.end : value.contentEnd
  const source = value.file.text
  if (end === value.start || source[end - 1] !== '\n') return Math.max(end, keyEnd)
  return source[end - 2] === '\r' ? end - 2 : end - 1
}

function endOfLine(text: string, from: number): number {
  const before = from > 0 && text[from - 1] === '\n' ? from - 1 : from
  const newline = text.indexOf('\n', before)
  if (newline === -1) return text.length
  return newline > 0 && text[newline - 1] === '\r' ? newline - 1 : newline
}

function lineEndAt(file: SourceFile, at: number): string {
  if (file.text.startsWith('\r\n', at)) return '\r\n'
  return file.text[at] === '\n' ? '\n' : file.lineEnd
}

function edit({ file }: { readonly file: SourceFile }, start: number, end: number, text: string): Edit {
  return { path: file.path, start, end, text }
}

function isPath(keys: readonly string[]): keys is Path {
  return keys.length > 0
}
