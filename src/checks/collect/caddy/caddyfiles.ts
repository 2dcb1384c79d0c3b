import type { Collector } from '../collector.ts'
import type { CaddyStructure } from './structure.ts'
import { pathBeside } from '../containers/composes.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'
import { guarded } from '../unreadable.ts'

interface Found {
  readonly caddyfiles: readonly Parsed<CaddyStructure>[]
  /** Settings of other proxies, which are not looked at. */
  readonly others: readonly string[]
}

const caddyfilePath = /(?:^|\/)(?:Caddyfile(?:[._-][^/]*)?|[^/]+\.(?:caddyfile|caddy))$/i
const notCaddyfile = /\.(?:md|json|ya?ml|go|[cm]?[jt]sx?|py|sh|html?|test|golden|tmpl|template|j2|tpl|erb)$/i
const otherProxies =
  /(?:^|\/)(?:nginx[^/]*\.conf(?:\.[^/]+)?|haproxy\.cfg|(?:sites-(?:available|enabled)|nginx\/conf\.d)\/[^/]+|traefik\.(?:ya?ml|toml)|envoy\.ya?ml)$/i

/** The Caddyfiles of the tree, with the files that they import put in; those that are only imported are not among them. */
export const caddyfiles: Collector<'repo', Found> = async (tree) => {
  const others = tree.matching(otherProxies).map(({ path }) => path)
  const found = tree.matching(caddyfilePath).filter(({ path }) => !notCaddyfile.test(path))
  const read = await tree.readAll(found)
  if (read.length === 0) return { caddyfiles: [], others }
  const texts = new Map(read.flatMap((each) => (isReadable(each) ? [[each.file.path, each.value] as const] : [])))
  // What is imported may be named in any way.
  for (const pattern of patternsIn([...texts.values()])) {
    const named = tree.files.filter(({ path }) => !texts.has(path) && pattern.test(path))
    for (const each of await tree.readAll(named)) if (isReadable(each)) texts.set(each.file.path, each.value)
  }
  const imported = new Set<string>()
  const importer = (from: string, pattern: string): readonly SourceFile[] => {
    const regexp = pathPattern(from, pattern)
    const files =
      regexp === undefined ? [] : [...texts.values()].filter(({ path }) => path !== from && regexp.test(path))
    for (const { path } of files) imported.add(path)
    return files
  }
  const { structureOf } = await import('./structure.ts')
  const parsed = read.map((each) =>
    isReadable(each) ? guarded(each.value, () => structureOf(each.value, importer)) : each,
  )
  const roots = parsed.filter(({ file }) => !imported.has(file.path))
  // Where they import each other in a circle, none is the first.
  return { caddyfiles: roots.length > 0 ? roots : parsed, others }
}

const patternsMax = 200

function patternsIn(files: readonly SourceFile[]): readonly RegExp[] {
  const patterns = files.flatMap(({ path, text }) =>
    [...text.matchAll(/^[ \t]*import[ \t]+(\S+)/gm)].flatMap(([, pattern = '']) => pathPattern(path, pattern) ?? []),
  )
  return patterns.slice(0, patternsMax)
}

// As Caddy's imports: relative to the file, and `*` for anything within one folder.
function pathPattern(from: string, pattern: string): RegExp | undefined {
  // Many stars in one pattern take long to match, and nobody writes them.
  if (pattern.startsWith('/') || pattern.length > 300 || pattern.split('*').length > 3) return undefined
  const path = pathBeside(from, pattern.replace(/^"|"$/g, ''))
  if (path === undefined) return undefined
  const escaped = path.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/\*+/g, '[^/]*')
  return new RegExp(`^${escaped}$`)
}
