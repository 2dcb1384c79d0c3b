import type { Parser } from '@lezer/common'
import type { Collector } from '../collector.ts'
import { isReadable, type SourceFile } from '../source-file.ts'
import { Source, type Language } from './source.ts'
import type { FoundFile } from '../tree.ts'

/** The source files of the tree; what others wrote or a tool generated is left out. */
export interface Sources {
  readonly files: readonly Source[]
  /** Those that could not be looked at, and why. */
  readonly unread: readonly { readonly file: SourceFile; readonly why: string }[]
}

const sourcePath = /\.(?:[mc]?[jt]s|[jt]sx|py|go)$/i
// What others wrote, and what a tool made of sources that are judged where they stand.
const foreignPath = /(?:^|\/)(?:vendor|third[_-]party|node_modules|bower_components|site-packages|\.venv|venv|dist)\//i
const generatedName =
  /(?:\.min\.[mc]?js|[._]pb(?:2|2_grpc)?\.[a-z]+|\.pb\.(?:gw\.)?go|\.d\.[mc]?ts|\.generated\.[a-z]+|bundle[\w.-]*\.[mc]?js)$/i
const generatedHeader = /@generated\b|\bcode generated\b|\bdo not edit\b/i
const lineCharsMax = 20_000

export const sources: Collector<'repo', Sources> = async (tree) => {
  const found = tree.matching(sourcePath).filter(({ path }) => !isForeignSource(path))
  if (found.length === 0) return { files: [], unread: [] }
  const [parsed, parsers] = await Promise.all([tree.readAll(found), loadParsers(found)])
  const files: Source[] = []
  const unread: { file: SourceFile; why: string }[] = []
  for (const each of parsed) {
    if (!isReadable(each)) unread.push({ file: each.file, why: each.unreadable.why })
    else if (!isGenerated(each.value.text)) {
      const language = languageOf(each.file.path)
      const parser = parsers.get(dialectOf(each.file.path))
      if (parser !== undefined) files.push(new Source(each.value, language, parser))
    }
  }
  return { files, unread }
}

/** Not written in this repository, by its path. */
function isForeignSource(path: string): boolean {
  return foreignPath.test(path) || generatedName.test(path)
}

/** Written by a tool: says so in its first lines, or has lines that nobody writes. */
function isGenerated(text: string): boolean {
  // A video or a translation file may end in .ts too.
  if (text.startsWith('<?xml') || generatedHeader.test(text.slice(0, 600))) return true
  let start = 0
  while (start < text.length) {
    const end = text.indexOf('\n', start)
    if ((end === -1 ? text.length : end) - start > lineCharsMax) return true
    if (end === -1) return false
    start = end + 1
  }
  return false
}

type Dialect = 'js' | 'ts' | 'tsx' | 'py' | 'go'

function dialectOf(path: string): Dialect {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase()
  if (extension === 'py' || extension === 'go' || extension === 'tsx') return extension
  return extension.endsWith('ts') ? 'ts' : 'js'
}

function languageOf(path: string): Language {
  const dialect = dialectOf(path)
  if (dialect === 'py') return 'python'
  return dialect === 'go' ? 'go' : 'javascript'
}

async function loadParsers(files: readonly FoundFile[]): Promise<ReadonlyMap<Dialect, Parser>> {
  const wanted = new Set(files.map(({ path }) => dialectOf(path)))
  const parsers = new Map<Dialect, Parser>()
  if (wanted.has('js') || wanted.has('ts') || wanted.has('tsx')) {
    const { parser } = await import('@lezer/javascript')
    parsers.set('js', parser.configure({ dialect: 'jsx' }))
    parsers.set('ts', parser.configure({ dialect: 'ts' }))
    parsers.set('tsx', parser.configure({ dialect: 'jsx ts' }))
  }
  if (wanted.has('py')) parsers.set('py', (await import('@lezer/python')).parser)
  if (wanted.has('go')) parsers.set('go', (await import('@lezer/go')).parser)
  return parsers
}
