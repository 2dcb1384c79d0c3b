import type { Collector } from '../collector.ts'
import { parseJson } from '../values/json5.ts'
import { samples } from './manifests.ts'
import { isReadable, type Parsed, type SourceFile, type Spot } from '../source-file.ts'
import { parseToml } from '../values/toml.ts'
import type { Tree } from '../tree.ts'
import { listed, type ScalarValue, type Value } from '../values/value.ts'

/** The version of a tool as a file of the repository names it. */
export interface ToolVersion {
  readonly tool: string
  readonly version: string
  readonly spot: Spot
}

const names =
  /(?:^|\/)(?:\.tool-versions|\.?mise\.toml|\.config\/mise(?:\/config)?\.toml|\.nvmrc|\.(?:node|python|ruby|go|bun|java|terraform|deno)-version|package\.json)$|^(?:uv|pyproject)\.toml$/

/** Versions in `.tool-versions`, `mise.toml`, `.nvmrc` and its like, and the `packageManager` of `package.json`. */
export const toolVersions: Collector<'repo', readonly Parsed<readonly ToolVersion[]>[]> = async (tree) => {
  const found = tree.matching(names).filter(({ path }) => !samples.test(path))
  const texts = await tree.readAll(found)
  const read = await Promise.all(
    texts.map((text) => (isReadable(text) ? versionsOf(text.value, tree) : Promise.resolve([text]))),
  )
  return read.flat()
}

async function versionsOf(file: SourceFile, tree: Tree): Promise<readonly Parsed<readonly ToolVersion[]>[]> {
  const name = file.path.slice(file.path.lastIndexOf('/') + 1)
  if (name === 'package.json') return packageManager(file)
  if (/^(?:uv|pyproject)\.toml$/.test(name)) return requiredUv(file)
  if (name.endsWith('.toml')) {
    // Its lock file holds the versions that a range leads to.
    const locked = tree.files.some(({ path }) => path === file.path.replace(/[^/]+$/, 'mise.lock'))
    return locked ? [] : [await mise(file)]
  }
  if (name === '.tool-versions')
    return file.text.length > asdfCharsMax
      ? [{ file, unreadable: { offset: 0, why: `It has more than ${asdfCharsMax} characters.` } }]
      : [{ file, value: asdf(file) }]
  const tool = name === '.nvmrc' ? 'node' : name.slice(1, -'-version'.length)
  return [
    {
      file,
      value: lines(file)
        .slice(0, 1)
        .map(({ text, spot }) => ({ tool, version: text, spot })),
    },
  ]
}

// Each word is a finding.
const asdfCharsMax = 65_536

async function packageManager(file: SourceFile): Promise<readonly Parsed<readonly ToolVersion[]>[]> {
  if (!file.text.includes('"packageManager"')) return []
  const parsed = await parseJson(file)
  if (!isReadable(parsed)) return [parsed]
  const node = parsed.value.kind === 'map' ? parsed.value.scalar('packageManager') : undefined
  if (node === undefined) return []
  const at = node.text.indexOf('@', 1)
  const version = at === -1 ? '' : node.text.slice(at + 1).replace(/\+.*$/, '')
  return [{ file, value: [{ tool: at === -1 ? node.text : node.text.slice(0, at), version, spot: node }] }]
}

// A range says which versions will do; only an exact one says which is taken.
async function requiredUv(file: SourceFile): Promise<readonly Parsed<readonly ToolVersion[]>[]> {
  if (!file.text.includes('required-version')) return []
  const parsed = await parseToml(file)
  if (!isReadable(parsed)) return [parsed]
  const uv = file.path === 'uv.toml' ? parsed.value : parsed.value.map('tool')?.map('uv')
  const node = uv?.scalar('required-version')
  const [, version] = /^==\s*([\d.]+)$/.exec(node?.text ?? '') ?? []
  return node === undefined || version === undefined ? [] : [{ file, value: [{ tool: 'uv', version, spot: node }] }]
}

async function mise(file: SourceFile): Promise<Parsed<readonly ToolVersion[]>> {
  const parsed = await parseToml(file)
  if (!isReadable(parsed)) return parsed
  const entries = parsed.value.map('tools')?.entries ?? []
  const value = entries.flatMap(({ key, value: tool }) =>
    listed(tool)
      .flatMap(versionNode)
      .map((node) => ({ tool: key.text, version: node.text, spot: node })),
  )
  return { file, value }
}

function versionNode(value: Value): readonly ScalarValue[] {
  if (value.kind === 'scalar') return [value]
  const inner = value.kind === 'map' ? value.scalar('version') : undefined
  return inner === undefined ? [] : [inner]
}

function asdf(file: SourceFile): readonly ToolVersion[] {
  return lines(file).flatMap(({ text, spot }) => {
    const [tool = '', ...versions] = text.split(/\s+/)
    return versions.map((version) => ({ tool, version, spot }))
  })
}

function lines(file: SourceFile): readonly { readonly text: string; readonly spot: Spot }[] {
  let at = 0
  return file.text.split('\n').flatMap((line) => {
    const start = at
    at += line.length + 1
    const text = line.replace(/#.*$/, '').trim()
    if (text === '') return []
    const from = start + line.indexOf(text)
    return [{ text, spot: { file, start: from, end: from + text.length } }]
  })
}
