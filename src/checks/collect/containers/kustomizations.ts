import type { Collector } from '../collector.ts'
import { isReadable } from '../source-file.ts'
import { listed } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/**
 * Names of images that a kustomization puts a digest to, whatever the manifests say. One that cannot be read says nothing: what it
 * would have changed is then judged as it is written.
 */
export const kustomizedDigests: Collector<'repo', ReadonlySet<string>> = async (tree) => {
  const names = new Set<string>()
  for (const parsed of await tree.readAll(tree.matching(/(?:^|\/)kustomization\.ya?ml$/i))) {
    const yaml = isReadable(parsed) && parsed.value.text.includes('digest') ? parseYaml(parsed.value) : undefined
    if (yaml === undefined || !isReadable(yaml) || yaml.value.kind !== 'map') continue
    for (const image of listed(yaml.value.get('images'))) {
      if (image.kind !== 'map' || !/^sha256:[\da-f]{64}$/i.test(image.text('digest') ?? '')) continue
      const name = image.text('name')
      if (name !== undefined) names.add(name)
    }
  }
  return names
}
