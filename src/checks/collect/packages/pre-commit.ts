import type { Collector } from '../collector.ts'
import { isReadable, type Parsed } from '../source-file.ts'
import { listed, type ScalarValue } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/** A repository that pre-commit takes hooks from. */
export interface PreCommitRepository {
  readonly repo: ScalarValue
  readonly rev?: ScalarValue
}

/** The hooks of `.pre-commit-config.yaml`, without those of the repository itself. */
export const preCommit: Collector<'repo', readonly Parsed<readonly PreCommitRepository[]>[]> = async (tree) => {
  const texts = await tree.readAll(tree.matching(/^\.pre-commit-config\.ya?ml$/))
  return texts.map((text) => {
    if (!isReadable(text)) return text
    const yaml = parseYaml(text.value)
    if (!isReadable(yaml)) return yaml
    const repos = yaml.value.kind === 'map' ? listed(yaml.value.get('repos')) : []
    const value = repos.flatMap((each) => {
      const repo = each.kind === 'map' ? each.scalar('repo') : undefined
      if (each.kind !== 'map' || repo === undefined || /^(?:local|meta|builtin)$/.test(repo.text)) return []
      const rev = each.scalar('rev') ?? each.scalar('sha')
      return [rev === undefined ? { repo } : { repo, rev }]
    })
    return { file: yaml.file, value }
  })
}
