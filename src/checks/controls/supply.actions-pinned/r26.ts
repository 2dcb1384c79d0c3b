import { posix } from 'node:path'
import { judgeEach, repoCheck } from '../../check.ts'
import { actionOf, inputOf } from '../../collect/workflows/uses.ts'
import {
  actions,
  workflows,
  type Action,
  type Step,
  type Uses,
  type Workflow,
} from '../../collect/workflows/workflows.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'

/**
 * Images (`docker://`) are left to R28. There is no fix: which commit a tag means is known to the network alone, and a missing version
 * comment behind a commit is a matter of taste.
 */
export const r26 = repoCheck({
  id: 'R26',
  title: 'Actions and reusable workflows are pinned by commit SHA',
  needs: { workflows, actions },
  judge: ({ workflows: files, actions: own }) =>
    judgeEach<Workflow | Action>([...files, ...own], 'There is no workflow and no action.', (value) => [
      ...usesIn(value).flatMap(pinned),
      ...('jobs' in value ? value.jobs.flatMap(({ steps }) => fromElsewhere(steps)) : fromElsewhere(value.steps)),
    ]),
})

/** Local actions that lie in the checkout of another repository, which was made in front of them at no commit. */
function fromElsewhere(steps: readonly Step[]): readonly Evidence[] {
  const movable = new Map<string, string>()
  return steps.flatMap((step) => {
    const { uses } = step
    if (actionOf(uses) === 'actions/checkout') {
      const folder = posix.join(inputOf(step, 'path') ?? '.', '.').replace(/\/$/, '')
      const repository = inputOf(step, 'repository')
      const ref = inputOf(step, 'ref') ?? ''
      // An expression is for this repository, or for what a pull request comes from.
      if (repository === undefined || `${repository}${ref}`.includes('${{') || commit.test(ref)) movable.delete(folder)
      else movable.set(folder, repository)
    }
    if (uses?.kind !== 'local') return []
    for (let folder = posix.join(uses.path, '.').replace(/\/$/, ''); ; folder = posix.dirname(folder)) {
      const repository = movable.get(folder)
      if (repository !== undefined) {
        const why = `This action is of ${repository}, which is checked out in front of it at a tag or branch that can be moved to other code at any time.`
        return [doubtful(uses.node, why, { subject: `${uses.node.text} of ${repository}`, confidence: 'medium' })]
      }
      if (folder === '.' || folder === '/' || folder.startsWith('..')) return []
    }
  })
}

function usesIn(value: Workflow | Action): readonly Uses[] {
  const called = 'jobs' in value ? value.jobs.flatMap(({ uses }) => uses ?? []) : []
  const steps = 'jobs' in value ? value.jobs.flatMap((job) => job.steps) : value.steps
  return [...called, ...steps.flatMap(({ uses }) => uses ?? [])]
}

const commit = /^(?:[\da-f]{40}|[\da-f]{64})$/i
// Its workflows refuse a commit: https://github.com/slsa-framework/slsa-github-generator#referencing-slsa-builders-and-generators
const tagOnly = 'slsa-framework/slsa-github-generator'
const shortCommit = /^[\da-f]{7,39}$/i

function pinned(uses: Uses): readonly Evidence[] {
  if (uses.kind === 'unclear') return [unclear(uses.node)]
  // A local action is of the same commit, and judged itself; an image is for R28.
  if (uses.kind !== 'repository') return []
  const { node, name, path, ref } = uses
  if (node.text.includes('${{')) return [unclear(node)]
  if (commit.test(ref)) return []
  const what = path === '' ? name : `${name}/${path}`
  if (name.toLowerCase() === tagOnly && /^v\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(ref))
    return [
      doubtful(node, `${what} runs at no commit, only at the tag of a release, which it looks at itself.`, {
        subject: node.text,
        confidence: 'medium',
      }),
    ]
  const why = shortCommit.test(ref)
    ? `${what} is pinned to the short commit "${ref}": it takes all 40 digits, since a tag or branch may have this name, and another commit may start with it.`
    : `${what} is taken at "${ref}", a tag or branch that can be moved to other code at any time.`
  return [failing(node, why, { subject: node.text })]
}

function unclear(node: Uses['node']): Evidence {
  return node.text.includes('${{')
    ? unjudged('ERROR', node, 'GitHub takes no expression in `uses`: name the action and its commit.')
    : unjudged('ERROR', node, `"${node.text}" names no action that GitHub would take: write owner/repository@commit.`)
}
