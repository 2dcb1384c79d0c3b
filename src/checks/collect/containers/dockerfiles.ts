import type { Collector } from '../collector.ts'
import { assignmentsIn, expandVariables } from './dockerfile-variables.ts'
import { isReadable, type Parsed, type Problem, type SourceFile, type Spot } from '../source-file.ts'

/** A Dockerfile as a build reads it. */
export interface Dockerfile {
  readonly file: SourceFile
  /** In the order of the file; the last one is what a build makes where it names no target. */
  readonly stages: readonly Stage[]
  readonly instructions: readonly Instruction[]
}

/** From one FROM to the next. */
export interface Stage {
  readonly index: number
  /** Behind AS. */
  readonly name?: string
  readonly from: Instruction
  /** Where the name of the base stands. */
  readonly baseSpot: Spot
  /** Image or stage, with the defaults of ARG put in; undefined where one has none. */
  readonly base: string | undefined
  /** The stage that it goes on from. */
  readonly parent?: Stage
  /** After FROM. */
  readonly instructions: readonly Instruction[]
  /** What ARG and ENV say at the end of the stage; undefined for what only a build gives. */
  readonly variables: ReadonlyMap<string, string | undefined>
}

export interface Instruction extends Spot {
  /** In capitals: `RUN`. */
  readonly keyword: string
  /** Flags such as `--mount=type=cache`, without the rest. */
  readonly flags: readonly string[]
  /** What follows keyword and flags, as long as in the file: what continues a line stays so, comments between are blanks. */
  readonly text: string
  /** Where `text` begins in the file. */
  readonly textStart: number
  /** With what ARG and ENV say in front of it, of USER and FROM; undefined where a variable has no value. */
  readonly expanded?: string | undefined
}

/** Where a stretch of the text of an instruction stands. */
export function insideInstruction({ file, textStart }: Instruction, start: number, end: number): Spot {
  return { file, start: textStart + start, end: textStart + end }
}

/** The script that a RUN hands to the shell, with where it begins in the file; undefined in exec form, `RUN ["pip", "install"]`. */
export function scriptOf({
  text,
  textStart,
}: Instruction): { readonly text: string; readonly start: number } | undefined {
  if (text.startsWith('[') && execForm(text) !== undefined) return undefined
  // The heredoc is the script where nothing else is on its line.
  const [opening, delimiter] = /^<<-?["']?([A-Za-z_][A-Za-z0-9_]*)["']?[ \t]*\r?\n/.exec(text) ?? []
  if (opening === undefined || delimiter === undefined) return { text, start: textStart }
  const body = text.slice(opening.length).replace(new RegExp(`(?:^|\\n)\\t*${delimiter}\\s*$`), '')
  return { text: body, start: textStart + opening.length }
}

/** The words of `["a", "b"]`; undefined where it is not that. */
export function execForm(text: string): readonly string[] | undefined {
  try {
    const words: unknown = JSON.parse(text.replaceAll(/\\\r?\n/g, ' '))
    return Array.isArray(words) && words.every((word) => typeof word === 'string') ? words : undefined
  } catch {
    return undefined
  }
}

const dockerfilePath = /(?:^|\/)(?:(?:Dockerfile|Containerfile)(?:[._-][^/]*)?|[^/]+\.(?:dockerfile|containerfile))$/i
const otherPath =
  /\.(?:dockerignore|containerignore|md|rst|txt|html?|ya?ml|json|toml|sh|py|[cm]?[jt]sx?|go|rs|java|rb|lock|snap|patch|diff)$/i
const templatePath = /\.(?:j2|jinja2?|tmpl|tpl|template|gotmpl|in|erb|ejs|mustache|hbs|m4|jq)$/i

/** The Dockerfiles of the tree, also under names such as `Dockerfile.api` and `api.dockerfile`. */
export const dockerfiles: Collector<'repo', readonly Parsed<Dockerfile>[]> = async (tree) => {
  const found = tree.matching(dockerfilePath).filter(({ path }) => !otherPath.test(path) && !templatePath.test(path))
  const files = await tree.readAll(found)
  return Promise.all(files.map(async (parsed) => (isReadable(parsed) ? parseDockerfile(parsed.value) : parsed)))
}

/** Paths of templates that Dockerfiles are made from: nothing can be said about what they become. */
export const dockerfileTemplates: Collector<'repo', readonly string[]> = async (tree) =>
  tree.matching(dockerfilePath).flatMap(({ path }) => (templatePath.test(path) ? [path] : []))

const keywords = new Set(
  'ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR'.split(
    ' ',
  ),
)

// Each begins with the variables of the one that it goes on from.
const stagesMax = 1000

async function parseDockerfile(file: SourceFile): Promise<Parsed<Dockerfile>> {
  const flood = floodIn(file.text)
  if (flood !== undefined) return { file, unreadable: { offset: 0, why: flood } }
  const { DockerfileParser } = await import('dockerfile-ast')
  const ast = DockerfileParser.parse(file.text)
  const escape = ast.getEscapeCharacter()
  const starts = lineStartsOf(file.text)
  const offset = ({ line, character }: { line: number; character: number }): number => (starts[line] ?? 0) + character
  const problems: Problem[] = []
  const instructions = ast.getInstructions().flatMap((node) => {
    const { start, end } = node.getRange()
    const spot = { file, start: offset(start), end: offset(end) }
    const keyword = node.getKeyword()
    if (keywords.has(keyword)) return [instructionOf(spot, keyword, offset(node.getInstructionRange().end), escape)]
    const at = { file, start: spot.start, end: offset(node.getInstructionRange().end) }
    problems.push({ spot: at, why: `"${keyword.slice(0, 40)}" is no instruction of a Dockerfile.` })
    return []
  })
  const stages = stagesOf(instructions)
  const [problem] = problems
  if (stages.length > stagesMax)
    return { file, unreadable: { offset: 0, why: `It has more than ${stagesMax} stages.` } }
  if (stages.length === 0)
    return { file, unreadable: { offset: problem?.spot.start ?? 0, why: problem?.why ?? 'A Dockerfile needs FROM.' } }
  return { file, value: { file, stages, instructions }, problems }
}

// The library goes through the lines of an instruction once for each of its heredocs, and takes memory for each line.
function floodIn(text: string): string | undefined {
  if (text.split('\n', linesMax + 1).length > linesMax) return `It has more than ${linesMax} lines.`
  return text.split('<<', heredocsMax + 1).length > heredocsMax
    ? `It has more than ${heredocsMax} heredocs.`
    : undefined
}

const linesMax = 20_000
const heredocsMax = 500

function instructionOf(spot: Spot, keyword: string, keywordEnd: number, escape: string): Instruction {
  const raw = spot.file.text.slice(keywordEnd, spot.end)
  const masked = continued(raw, escape)
  const [lead = ''] = /^(?:\s|\\\r?\n)*(?:--[a-z][^\s]*(?:\s|\\\r?\n)+)*/.exec(masked) ?? []
  const flags = lead.split(/[\s\\]+/).filter((word) => word.startsWith('--'))
  return { ...spot, keyword, flags, text: masked.slice(lead.length), textStart: keywordEnd + lead.length }
}

/**
 * The text of an instruction as a shell reads it, of the same length: lines go on behind `\`, and the comments and blank lines between
 * them are no part of it.
 */
function continued(raw: string, escape: string): string {
  if (!raw.includes('\n')) return raw
  const parts: string[] = []
  let at = 0
  let within = false
  for (;;) {
    const newline = raw.indexOf('\n', at)
    const end = newline === -1 ? raw.length : newline
    const line = raw.slice(at, end)
    if (newline === -1) {
      parts.push(line)
      return parts.join('')
    }
    const blank = line.trim() === ''
    if (within && (blank || line.trimStart().startsWith('#')))
      parts.push(blank ? `${' '.repeat(line.length)} ` : `${' '.repeat(line.length - 1)}\\\n`)
    else if (line.trimEnd().endsWith(escape)) {
      const kept = line.trimEnd().length - 1
      parts.push(`${line.slice(0, kept)}${' '.repeat(line.length - kept - 1)}\\\n`)
      within = true
    } else {
      // The instruction is over: what is behind it is its heredoc, and stays as it is.
      parts.push(raw.slice(at))
      return parts.join('')
    }
    at = newline + 1
  }
}

function stagesOf(instructions: readonly Instruction[]): readonly Stage[] {
  const stages: Stage[] = []
  const named = new Map<string, Stage>()
  const globals = new Map<string, string | undefined>()
  let variables = new Map<string, string | undefined>()
  let own: Instruction[] = []
  for (const instruction of instructions) {
    if (instruction.keyword === 'FROM') {
      if (stages.length > stagesMax) break
      own = []
      const [written = '', as = '', name] = instruction.text.trim().split(/[\s\\]+/)
      const base = expandVariables(written, globals)
      const parent = base === undefined ? undefined : named.get(base.toLowerCase())
      variables = new Map(parent?.variables)
      const { file, textStart } = instruction
      const stage: Stage = {
        index: stages.length,
        from: instruction,
        base,
        baseSpot: { file, start: textStart, end: textStart + written.length },
        instructions: own,
        variables,
        ...(parent === undefined ? {} : { parent }),
        ...(name !== undefined && as.toLowerCase() === 'as' ? { name } : {}),
      }
      stages.push(stage)
      if (stage.name !== undefined) named.set(stage.name.toLowerCase(), stage)
      continue
    }
    const scope = stages.length === 0 ? globals : variables
    own.push(
      instruction.keyword === 'USER'
        ? { ...instruction, expanded: expandVariables(instruction.text.trim(), scope) }
        : instruction,
    )
    if (instruction.keyword === 'ARG' || instruction.keyword === 'ENV') define(instruction, scope, globals)
  }
  return stages
}

// An ARG of a stage without value takes the one in front of the first FROM.
function define(
  { keyword, text }: Instruction,
  scope: Map<string, string | undefined>,
  globals: ReadonlyMap<string, string | undefined>,
): void {
  for (const { name, value } of assignmentsIn(keyword, text)) {
    const inherited = globals.get(name)
    if (value !== undefined) scope.set(name, expandVariables(value, scope))
    else if (keyword === 'ARG') scope.set(name, inherited)
  }
}

// The library counts a lone carriage return as a line end too.
function lineStartsOf(text: string): readonly number[] {
  const starts = [0]
  for (const { index, 0: end } of text.matchAll(/\r\n|\r|\n/g)) starts.push(index + end.length)
  return starts
}
