import type { Collector } from '../collector.ts'
import { parseJson } from '../values/json5.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'
import type { MapValue } from '../values/value.ts'

/** The settings of Renovate for a repository, as they are written there. */
export interface RenovateConfig {
  readonly file: SourceFile
  readonly root: MapValue
}

// Where Renovate looks, in its order; it takes the first.
const names = [
  'renovate.json',
  'renovate.json5',
  'renovate.jsonc',
  '.github/renovate.json',
  '.github/renovate.json5',
  '.github/renovate.jsonc',
  '.gitlab/renovate.json',
  '.gitlab/renovate.json5',
  '.renovaterc',
  '.renovaterc.json',
  '.renovaterc.json5',
  'package.json',
]

/** The file that Renovate takes; none where it is not set up here. */
export const renovate: Collector<'repo', readonly Parsed<RenovateConfig>[]> = async (tree) => {
  const byPath = new Map(tree.files.map((file) => [file.path, file]))
  const single = tree.single ? tree.matching(/(?:^|\/)\.?renovate(?:rc)?(?:\.json5?|\.jsonc)?$/) : []
  const found = [...names.flatMap((name) => byPath.get(name) ?? []), ...single]
  for (const each of found) {
    const text = await tree.read(each)
    if (!isReadable(text)) return [text]
    const manifest = each.path === 'package.json'
    if (manifest && !text.value.text.includes('"renovate"')) continue
    const parsed = await parseJson(text.value, manifest ? 'json' : 'json5')
    if (!isReadable(parsed)) return [parsed]
    const { file, value } = parsed
    const root = manifest && value.kind === 'map' ? value.get('renovate') : value
    if (root === undefined) continue
    if (root.kind === 'map') return [{ file, value: { file, root } }]
    return [{ file, unreadable: { offset: root.start, why: 'The settings of Renovate are a map.' } }]
  }
  return []
}
