import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type YAMLError,
  type YAMLMap,
} from 'yaml'
import { notShown, problem, type Problem } from './problem.ts'

export const configBytesMax = 1024 * 1024
// Each use of an anchor multiplies what it holds; a settings file needs few.
const aliasesMax = 100
const problemsMax = 20
// Two for each section, and sections are at most five deep. What is far deeper is too much for the stack as well, but only sometimes.
const ancestorsMax = 64

export type YamlRead =
  { readonly ok: true; readonly root: object } | { readonly ok: false; readonly problems: readonly Problem[] }

/** Parses the settings file. Its problems name line and column, and never quote the file: it may hold a password. */
export function parseYaml(text: string, name: string): YamlRead {
  const no = (why: string, todo: string): YamlRead => ({ ok: false, problems: [problem(name, notShown, why, todo)] })
  if (Buffer.byteLength(text) > configBytesMax)
    return no(`It is larger than ${configBytesMax} bytes.`, 'Make it smaller.')
  if (text.startsWith('\uFEFF')) return no('It begins with a byte-order mark.', 'Save it as UTF-8 without one.')
  if (text.trim() === '') return no('The file is empty.', 'Write settings into it, or start without a file.')
  try {
    return read(text, name)
  } catch (cause) {
    if (cause instanceof RangeError) return no(...tooDeep)
    if (cause instanceof ReferenceError) return no('It repeats anchors too often.', 'Write the values out.')
    throw cause
  }
}

function read(text: string, name: string): YamlRead {
  const lines = new LineCounter()
  // The library compares each key with all before it, so duplicates are looked for here, in linear time.
  const options = { uniqueKeys: false, stringKeys: true, prettyErrors: false, logLevel: 'error' } as const
  const document = parseDocument(text, { ...options, lineCounter: lines })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${name}:${line}:${col}`
  }
  const syntax = [...document.errors, ...document.warnings].slice(0, problemsMax)
  const problems = [
    ...syntax.map((error) => problem(place(error.pos[0]), notShown, ...advice(error, text))),
    ...structureProblems(document, place),
  ]
  if (problems.length > 0) return { ok: false, problems }
  const root: unknown = isMap(document.contents) ? document.toJS({ maxAliasCount: aliasesMax }) : undefined
  if (typeof root === 'object' && root !== null) return { ok: true, root }
  const why = document.contents === null ? 'The file holds no settings.' : 'The file is a list or a plain value.'
  const todo = 'Write sections and settings, such as `listen:` with `grpc: 127.0.0.1:50051` below it.'
  return { ok: false, problems: [problem(name, notShown, why, todo)] }
}

/** What the library finds late or slowly: keys that are there twice, aliases without anchor. */
function structureProblems(document: Document.Parsed, place: (offset: number) => string): readonly Problem[] {
  const problems: Problem[] = []
  const report = (node: Node, [why, todo]: Advice): void => {
    if (problems.length < problemsMax) problems.push(problem(place(node.range?.[0] ?? 0), notShown, why, todo))
  }
  const anchors = new Set<string>()
  visit(document, (_, node, ancestors) => {
    if (isNode(node) && ancestors.length > ancestorsMax) {
      report(node, tooDeep)
      return visit.BREAK
    }
    if (isAlias(node)) {
      if (!anchors.has(node.source)) report(node, ['An alias (*) refers to no anchor before it.', quote])
    } else if (isNode(node) && node.anchor) {
      anchors.add(node.anchor)
    }
    if (isMap(node)) for (const key of repeatedKeys(node)) report(key, ['A key is there twice.', 'Keep one of them.'])
    return undefined
  })
  return problems
}

function repeatedKeys(map: YAMLMap): readonly Node[] {
  const seen = new Set<unknown>()
  return map.items.flatMap(({ key }) => {
    if (!isScalar(key)) return []
    if (seen.has(key.value)) return [key]
    seen.add(key.value)
    return []
  })
}

type Advice = readonly [why: string, todo: string]

const quote = "Quote the value, with 'single quotes', where it holds one of : # { } [ ] , & * ! | > % @ or a backtick."
const tooDeep: Advice = ['It is nested too deeply.', 'Sections are at most five deep: remove what is deeper.']
const indent = 'Indent with spaces, the same number for all keys of one section.'

// The library's own messages quote the file.
const byCode: Partial<Record<YAMLError['code'], Advice>> = {
  TAB_AS_INDENT: ['A tab is used as indentation.', indent],
  RESOURCE_EXHAUSTION: tooDeep,
  BAD_INDENT: ['The indentation does not fit the lines around it.', indent],
  MULTIPLE_DOCS: [
    'The file holds more than one document.',
    'Remove the line `---` and what belongs to the other document.',
  ],
  TAG_RESOLVE_FAILED: ['A tag (!) is not known here.', quote],
  NON_STRING_KEY: ['A key is not plain text.', 'Use the names of the settings as keys.'],
  MISSING_CHAR: ['A closing quote, bracket or comma, or a space after a colon is missing.', quote],
  MULTILINE_IMPLICIT_KEY: ['A key runs over more than one line.', `Put a colon after the key. ${indent}`],
  BLOCK_AS_IMPLICIT_KEY: ['There is a second colon in the line.', quote],
  BAD_SCALAR_START: ['A value begins with a reserved character.', quote],
  BAD_DQ_ESCAPE: ['A backslash in double quotes begins no known escape.', 'Use single quotes.'],
}

function advice(error: YAMLError, text: string): Advice {
  const usesTab = /^ *\t/.test(text.slice(text.lastIndexOf('\n', error.pos[0] - 1) + 1, error.pos[0] + 1))
  const known = byCode[usesTab ? 'TAB_AS_INDENT' : error.code]
  return known ?? [`This is not valid YAML (${error.code}).`, quote]
}
