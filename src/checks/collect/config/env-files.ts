import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../source-file.ts'

/** A file of variables, as docker compose and the dotenv libraries read it. */
export interface EnvFile {
  readonly file: SourceFile
  /** An example to copy: it is meant to be committed. */
  readonly template: boolean
  readonly entries: readonly EnvEntry[]
}

export interface EnvEntry {
  readonly name: string
  /** Without quotes; a comment behind it is not part of it. */
  readonly value: string
  /** The value without its quotes. */
  readonly spot: Spot
}

const envPath = /(?:^|\/)(?:\.env(?:\.[\w.-]+)?|[\w-]+\.env|\.envrc|\.flaskenv)$/i
const templatePath = /(?:example|sample|template|dist|tmpl|tpl|defaults?|schema|vault|enc(?:rypted)?|d\.ts)(?:$|[._-])/i

export const envFiles: Collector<'repo', readonly Parsed<EnvFile>[]> = async (tree) => {
  const files = await tree.readAll(tree.matching(envPath))
  return files.map((parsed) => {
    if (!isReadable(parsed)) return parsed
    const { file } = parsed
    const name = file.path.slice(file.path.lastIndexOf('/') + 1)
    return { file, value: { file, template: templatePath.test(name), entries: envEntries(file) } }
  })
}

/** The variables of a file, in its order: the last one of a name holds. */
export function envEntries(file: SourceFile): readonly EnvEntry[] {
  const { text } = file
  const entries: EnvEntry[] = []
  let at = 0
  while (at < text.length) {
    const newline = text.indexOf('\n', at)
    const lineEnd = newline === -1 ? text.length : newline
    const line = text.slice(at, lineEnd)
    const [, head, name] = /^(\s{0,200}(?:export\s{1,20})?([A-Za-z_][\w.-]{0,200})\s{0,20}=\s{0,200})/.exec(line) ?? []
    let next = lineEnd + 1
    if (head !== undefined && name !== undefined) {
      const [start, end] = valueRange(text, at + head.length, lineEnd)
      entries.push({ name, value: text.slice(start, end), spot: { file, start, end } })
      // A quoted value may go on over lines.
      if (end > lineEnd) {
        const after = text.indexOf('\n', end)
        next = after === -1 ? text.length : after + 1
      }
    }
    at = next
  }
  return entries
}

function valueRange(text: string, start: number, lineEnd: number): readonly [number, number] {
  const quote = text[start]
  if (start < lineEnd && (quote === '"' || quote === "'" || quote === '`')) {
    const close = text.indexOf(quote, start + 1)
    if (close !== -1) return [start + 1, close]
  }
  const line = text.slice(start, lineEnd)
  const comment = line.search(/\s#/)
  const value = (line.startsWith('#') ? '' : comment === -1 ? line : line.slice(0, comment)).trimEnd()
  return [start, start + value.length]
}
