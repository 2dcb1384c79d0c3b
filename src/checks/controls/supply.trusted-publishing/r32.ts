import { problemsOf, repoCheck } from '../../check.ts'
import { destinationOf, environments, hasIdentity, tokensOf } from '../../collect/publishing/publish-tokens.ts'
import { publicationsOf, type Around, type Publication } from '../../collect/publishing/publishing.ts'
import type { Registry } from '../../collect/publishing/publishing-facts.ts'
import { registries, registryNames } from '../../collect/publishing/registries.ts'
import { scripts } from '../../collect/shell/called-scripts.ts'
import { isReadable } from '../../collect/source-file.ts'
import { inputOf } from '../../collect/workflows/uses.ts'
import { actions, workflows, type Job, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, unjudged, type Evidence } from '../../evidence.ts'

export const r32 = repoCheck({
  id: 'R32',
  title: 'Trusted publishing is used, not long-lived registry tokens',
  needs: { workflows, actions, scripts },
  judge: ({ workflows: files, actions: own, scripts: texts }) => {
    const errors = files.flatMap((parsed) => problemsOf(parsed))
    const judged = files.flatMap((parsed) =>
      isReadable(parsed)
        ? parsed.value.jobs.flatMap((job) => judgeJob(job, parsed.value, { actions: own, scripts: texts }))
        : [],
    )
    if (judged.length > 0) return [...errors, ...judged.flatMap((each) => each)]
    const why = 'Nothing is published to a registry that takes the identity of a job.'
    return [...errors, stated('repo', 'NOT_APPLICABLE', why)]
  },
})

const publicationsMax = 200

// One list for each publication that goes to such a registry.
function judgeJob(job: Job, workflow: Workflow, around: Around): readonly (readonly Evidence[])[] {
  const context = { job, workflow, around }
  const all = publicationsOf(job, workflow, around)
  const beyond = all[publicationsMax]
  if (beyond !== undefined)
    return [
      [
        unjudged(
          'UNKNOWN',
          beyond.spot,
          `The job publishes more than ${publicationsMax} times: nobody looked at all of it.`,
        ),
      ],
    ]
  return all.flatMap((publication) => {
    const { implied = false } = publication
    const registry = publication.registry ?? registryOf(publication, job, workflow)
    if (registry === undefined) return []
    const destination = destinationOf(publication, registry, context)
    if (destination === 'other') return []
    const tokens = tokensOf(publication, registry, context)
    // Without a token it goes there by identity, or not at all.
    if (implied && tokens.length === 0) return hasIdentity(job, workflow) ? [[]] : []
    if (tokens.length === 0) return [tokenless(publication, registry, context)]
    return [
      tokens.map(({ spot, where, kind }) =>
        kind === 'secret' && destination === 'public' && publication.certain !== false
          ? failing(spot, `\`${publication.what}\` publishes to ${registry} with a stored token (${where}).`)
          : doubtful(spot, `\`${publication.what}\` may publish to ${registry} with a stored token (${where}).`, {
              confidence: 'low',
            }),
      ),
    ]
  })
}

// A script that nobody can read: a variable says where it publishes to.
function registryOf({ certain, step }: Publication, job: Job, workflow: Workflow): Registry | undefined {
  if (certain !== false) return undefined
  const names = environments(step, job, workflow).flatMap(({ entries }) => entries.map(({ key }) => key.text))
  return registryNames.find((name) => names.some((each) => registries[name].variables.test(each)))
}

function tokenless(
  publication: Publication,
  registry: Registry,
  { job, workflow }: { readonly job: Job; readonly workflow: Workflow },
): readonly Evidence[] {
  const { spot, what, step, certain } = publication
  if (what === 'rubygems/release-gem' && inputOf(step, 'setup-trusted-publisher') === 'false')
    return [failing(spot, `\`${what}\` is told not to use trusted publishing.`)]
  if (hasIdentity(job, workflow)) return []
  const detail = `\`${what}\` publishes to ${registry}, and this job can neither ask for an identity (\`id-token: write\`) nor is a token to be seen.`
  return [doubtful(spot, detail, { confidence: certain === false ? 'low' : 'medium' })]
}
