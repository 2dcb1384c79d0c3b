import type { Collector } from '../collector.ts'
import { samples } from './manifests.ts'

/** Something that holds versions still, and that somebody has to renew. */
export interface BumpTarget {
  /** As people call it: `npm`. */
  readonly name: string
  /** The ecosystems of Dependabot that look after it. */
  readonly dependabot: readonly string[]
  /** The managers of Renovate that do. */
  readonly renovate: readonly string[]
  /** The files, sorted. */
  readonly paths: readonly string[]
}

const kinds: readonly (readonly [string, RegExp, string, string])[] = [
  ['npm', /^(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock)$/, 'npm', 'npm'],
  ['bun', /^bun\.lockb?$/, 'bun npm', 'bun npm'],
  ['uv', /^uv\.lock$/, 'uv', 'pep621'],
  ['Poetry', /^poetry\.lock$/, 'pip', 'poetry'],
  ['PDM', /^pdm\.lock$/, 'pip', 'pep621'],
  ['Pipenv', /^Pipfile\.lock$/, 'pip', 'pipenv'],
  ['Cargo', /^Cargo\.lock$/, 'cargo', 'cargo'],
  ['Go', /^go\.sum$/, 'gomod', 'gomod'],
  ['Bundler', /^Gemfile\.lock$/, 'bundler', 'bundler'],
  ['Composer', /^composer\.lock$/, 'composer', 'composer'],
  ['NuGet', /^packages\.lock\.json$/, 'nuget', 'nuget'],
  ['Mix', /^mix\.lock$/, 'mix', 'mix'],
  ['Pub', /^pubspec\.lock$/, 'pub', 'pub'],
  ['Swift', /^Package\.resolved$/, 'swift', 'swift'],
  ['Gradle', /^gradle\.lockfile$/, 'gradle', 'gradle'],
  ['Terraform', /^\.terraform\.lock\.hcl$/, 'terraform opentofu', 'terraform'],
  ['Docker', /^(?:Dockerfile|Containerfile)$/, 'docker', 'dockerfile'],
]

/** Lock files and Dockerfiles of the repository, outside of samples and test data. */
export const bumpTargets: Collector<'repo', readonly BumpTarget[]> = async (tree) => {
  const found = new Map<number, string[]>()
  for (const { path } of tree.files) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    const kind = kinds.findIndex(([, pattern]) => pattern.test(name))
    if (kind === -1 || samples.test(path)) continue
    const paths = found.get(kind)
    if (paths === undefined) found.set(kind, [path])
    else paths.push(path)
  }
  const targets = [...found].flatMap(([at, paths]) => {
    const kind = kinds[at]
    if (kind === undefined) return []
    const [name, , dependabot, renovate] = kind
    return [{ name, paths, dependabot: dependabot.split(' '), renovate: renovate.split(' ') }]
  })
  return Promise.resolve(targets)
}
