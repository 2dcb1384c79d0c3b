import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type Problem, type SourceFile } from '../source-file.ts'
import { texts, type MapValue, type ScalarValue } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/** The settings of Dependabot for version updates. */
export interface DependabotConfig {
  readonly file: SourceFile
  readonly root: MapValue
  readonly updates: readonly DependabotUpdate[]
}

/** One entry of `updates`. */
export interface DependabotUpdate {
  readonly node: MapValue
  readonly ecosystem: ScalarValue
  /** Folders, as they are written. */
  readonly directories: readonly string[]
}

const settings = /^\.github\/dependabot\.ya?ml$/

export const dependabot: Collector<'repo', readonly Parsed<DependabotConfig>[]> = async (tree) => {
  const found = tree.matching(settings)
  const files = found.length === 0 && tree.single ? tree.matching(/(?:^|\/)dependabot\.ya?ml$/) : found
  return (await tree.readAll(files)).map((text) => {
    if (!isReadable(text)) return text
    const yaml = parseYaml(text.value)
    return isReadable(yaml) ? configOf(yaml.file, yaml.value.kind === 'map' ? yaml.value : undefined) : yaml
  })
}

function configOf(file: SourceFile, root: MapValue | undefined): Parsed<DependabotConfig> {
  const updates = root?.get('updates')
  if (root === undefined || updates === undefined || updates.kind !== 'list')
    return {
      file,
      unreadable: { offset: updates?.start ?? 0, why: 'It is a map with `version` and a list of `updates`.' },
    }
  const problems: Problem[] = []
  const entries = updates.items.flatMap((node) => {
    const ecosystem = node.kind === 'map' ? node.scalar('package-ecosystem') : undefined
    if (node.kind === 'map' && ecosystem !== undefined) {
      const directories = [...texts(node.get('directory')), ...texts(node.get('directories'))]
      return [{ node, ecosystem, directories }]
    }
    problems.push({ spot: node, why: 'An entry of `updates` is a map with `package-ecosystem`.' })
    return []
  })
  // An anchored entry is one, however often it is repeated.
  const seen = new Set<MapValue>()
  const once = entries.filter(({ node }) => !seen.has(node) && seen.add(node))
  return { file, value: { file, root, updates: once }, problems }
}
