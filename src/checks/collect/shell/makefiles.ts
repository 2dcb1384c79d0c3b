import type { Collector } from '../collector.ts'
import { samples } from '../packages/manifests.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../source-file.ts'

/** A makefile, as far as it runs commands. */
export interface Makefile {
  readonly file: SourceFile
  /** Worked out when somebody asks. The lines of each rule are together. */
  readonly rules: () => readonly (readonly RecipeLine[])[]
}

/** One line of a recipe as the shell gets it: each has a shell of its own. */
export interface RecipeLine {
  readonly text: string
  /** Where a stretch of the text stands in the file. */
  readonly place: (start: number, end: number) => Spot
}

const path = /(?:^|\/)(?:GNUmakefile|[Mm]akefile(?:\.(?!in$)[\w-]+)?|[^/]+\.mk)$/
const assignment = /^ *(?:(?:export|override|private) +)*([A-Za-z_][\w.-]*)[ \t]*(:{0,3}|\?|\+|!)=[ \t]*([^\n]*)$/
const linesMax = 20_000

/** The makefiles of the repository, outside of samples and test data. */
export const makefiles: Collector<'repo', readonly Parsed<Makefile>[]> = async (tree) => {
  const files = await tree.readAll(tree.matching(path).filter((each) => !samples.test(each.path)))
  return files.map((parsed) => {
    if (!isReadable(parsed)) return parsed
    const { file } = parsed
    let rules: ReturnType<Makefile['rules']> | undefined
    return { file, value: { file, rules: () => (rules ??= rulesOf(file)) } }
  })
}

function rulesOf(file: SourceFile): readonly (readonly RecipeLine[])[] {
  const lines = logicalLines(file.text)
  const variables = new Variables()
  for (const { text } of lines) {
    const [, name = '', operator = '', value = ''] = text.startsWith('\t') ? [] : (assignment.exec(text) ?? [])
    if (name !== '') variables.set(name, operator, value)
  }
  const rules: RecipeLine[][] = [[]]
  const add = (start: number, end: number): void => {
    const line = recipeLine(file, start, end, variables)
    if (line.text.trim() !== '') rules.at(-1)?.push(line)
  }
  for (const { text, start, end } of lines) {
    if (text.startsWith('\t')) {
      add(start, end)
      continue
    }
    const [, name, operator = '', value = ''] = assignment.exec(text) ?? []
    if (name === undefined && /^[^#\s]/.test(text)) {
      rules.push([])
      const recipe = text.indexOf(';')
      if (recipe !== -1 && text.lastIndexOf(':', recipe) !== -1) add(start + recipe + 1, end)
    } else if (operator === '!') add(end - value.length, end)
    else if (value.includes('$(shell ')) add(start + text.indexOf('$(shell '), end)
  }
  return rules.filter((rule) => rule.length > 0)
}

interface Line {
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Lines with those that continue them. */
function logicalLines(text: string): readonly Line[] {
  const lines: Line[] = []
  for (let start = 0; start < text.length && lines.length < linesMax;) {
    let end = text.indexOf('\n', start)
    while (end !== -1 && /\\\r?$/.test(text.slice(Math.max(start, end - 2), end))) end = text.indexOf('\n', end + 1)
    const stop = end === -1 ? text.length : end
    const cut = text[stop - 1] === '\r' && stop > start ? stop - 1 : stop
    lines.push({ text: text.slice(start, cut), start, end: cut })
    start = stop + 1
  }
  return lines
}

/** Variables with one value that can be told from the file alone. */
class Variables {
  readonly #written = new Map<string, string | undefined>()

  set(name: string, operator: string, value: string): void {
    const plain = value.replace(/(?:^|\s)#.*$/, '').trim()
    const known = this.#written.has(name) && this.#written.get(name) !== plain
    const clear = !known && operator !== '+' && operator !== '!' && plain.length <= 200
    this.#written.set(name, clear ? plain : undefined)
  }

  value(name: string, depth = 0): string | undefined {
    const written = depth > 5 ? undefined : this.#written.get(name)
    if (written === undefined || !written.includes('$')) return written
    let known = true
    const text = written.replaceAll(/\$(?:\(([\w.-]+)\)|\{([\w.-]+)\}|.?)/g, (_, round?: string, curly?: string) => {
      const inner = this.value(round ?? curly ?? '', depth + 1)
      known &&= inner !== undefined
      return inner ?? ''
    })
    return known && text.length <= 200 ? text : undefined
  }
}

function recipeLine(file: SourceFile, start: number, end: number, variables: Variables): RecipeLine {
  const source = file.text
  const pieces: { readonly at: number; readonly from: number; readonly verbatim: boolean }[] = []
  let text = ''
  const put = (written: string, from: number, verbatim: boolean): void => {
    pieces.push({ at: text.length, from, verbatim })
    text += written
  }
  let at = start
  // Make's own marks in front of the command.
  while (at < end && /[\s@+-]/.test(source[at] ?? '')) at += 1
  while (at < end) {
    const next = nextSpecial(source, at, end)
    if (next > at) put(source.slice(at, next), at, true)
    if (next >= end) break
    const [continued] = /^\\\r?\n\t?/.exec(source.slice(next, next + 4)) ?? []
    if (continued !== undefined) {
      put('\\\n', next, false)
      at = next + continued.length
    } else if (source[next] === '\\') {
      put('\\', next, true)
      at = next + 1
    } else at = next + reference(source, next, end, variables, put)
  }
  pieces.push({ at: text.length, from: end, verbatim: true })
  const offset = (position: number, isEnd: boolean): number => {
    let low = 0
    let high = pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((pieces[middle]?.at ?? 0) <= position - (isEnd ? 1 : 0)) low = middle
      else high = middle - 1
    }
    const piece = pieces[low]
    if (piece === undefined) return end
    if (piece.verbatim) return piece.from + position - piece.at
    // A value stands somewhere else: the reference to it is the place.
    return isEnd ? (pieces[low + 1]?.from ?? end) : piece.from
  }
  return {
    text,
    place: (from, to) => ({
      file,
      start: offset(from, false),
      end: to > from ? offset(to, true) : offset(from, false),
    }),
  }
}

function nextSpecial(source: string, from: number, end: number): number {
  for (let at = from; at < end; at += 1) {
    const char = source[at]
    if (char === '$' || (char === '\\' && /[\r\n]/.test(source[at + 1] ?? ''))) return at
  }
  return end
}

/** Puts in what the shell gets for `$…` and tells how long that is in the file. What only make knows stays a variable. */
function reference(
  source: string,
  at: number,
  end: number,
  variables: Variables,
  put: (written: string, from: number, verbatim: boolean) => void,
): number {
  const next = source[at + 1] ?? ''
  if (next === '$') {
    put('$', at, false)
    return 2
  }
  if (next !== '(' && next !== '{') {
    put('${_}', at, false)
    return 2
  }
  const [call = ''] = /^\$\(shell\s/.exec(source.slice(at, at + 8)) ?? []
  if (call !== '') {
    put('$(', at, false)
    return call.length
  }
  const close = closing(source, at + 1, end)
  const name = source.slice(at + 2, close)
  const plain = /^[\w.-]+$/.test(name)
  put((plain ? variables.value(name) : undefined) ?? `\${${plain ? name.replaceAll(/\W/g, '_') : '_'}}`, at, false)
  return close + 1 - at
}

function closing(source: string, open: number, end: number): number {
  const [up, down] = source[open] === '(' ? ['(', ')'] : ['{', '}']
  let depth = 0
  for (let at = open; at < Math.min(end, open + 4096); at += 1) {
    if (source[at] === up) depth += 1
    else if (source[at] === down) {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return end
}
