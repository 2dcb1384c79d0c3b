import { problemsOf, repoCheck } from '../../check.ts'
import { feeding } from '../../collect/publishing/artifacts.ts'
import { cacheOf, type CacheUse, type PackageManager } from '../../collect/workflows/caching.ts'
import { expandedSteps, publicationsOf, type Around, type Publication } from '../../collect/publishing/publishing.ts'
import { scripts, type Scripts } from '../../collect/shell/called-scripts.ts'
import { isReadable } from '../../collect/source-file.ts'
import { actionOf, majorOf } from '../../collect/workflows/uses.ts'
import { actions, workflows, type Job, type Step, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Edit, type Evidence, type Fix } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'

export const r33 = repoCheck({
  id: 'R33',
  title: 'No cache is restored in publishing jobs',
  fixes: 'both',
  needs: { workflows, actions, scripts },
  judge: ({ workflows: files, actions: own, scripts: texts }) => {
    const around = { actions: own, scripts: texts }
    const packageManager = packageManagerOf(texts)
    const errors = files.flatMap((parsed) => problemsOf(parsed))
    const judged = files.flatMap((parsed) =>
      isReadable(parsed) ? judgeWorkflow(parsed.value, around, packageManager) : [],
    )
    const found = judged.flatMap((each) => each)
    return judged.length === 0
      ? [...errors, stated('repo', 'NOT_APPLICABLE', 'No workflow publishes anything.')]
      : [...errors, ...found]
  },
})

// One list for each job that publishes.
function judgeWorkflow(
  workflow: Workflow,
  around: Around,
  packageManager: PackageManager,
): readonly (readonly Evidence[])[] {
  return workflow.jobs.flatMap((job) => {
    const publications = publicationsOf(job, workflow, around)
    const first =
      publications.find(({ certain, kind }) => certain !== false && kind !== 'deployment') ?? publications[0]
    if (first === undefined) return []
    const steps = expandedSteps(job.steps, around.actions)
    const before = steps.slice(0, lastIndex(steps, publications) + 1)
    const certain = first.certain !== false && first.kind !== 'deployment'
    const own = caches(before, packageManager, job, workflow).map(({ cache, step, outside }) => {
      const fix = outside ? undefined : fixOf(step, cache)
      if (certain && cache.certain)
        return failing(cache.spot, `\`${cache.what}\` restores a cache in a job that publishes (\`${first.what}\`).`, {
          fix,
        })
      return doubtful(
        cache.spot,
        `\`${cache.what}\` may restore a cache in a job that publishes (\`${first.what}\`).`,
        { confidence: 'medium', fix },
      )
    })
    const fed = feeding(workflow, job, around.actions).flatMap(({ job: builder, uploads, matched }) =>
      caches(uploads, packageManager, builder, workflow).map(({ cache, step, outside }) => {
        const fix = outside ? undefined : fixOf(step, cache)
        const detail = `\`${cache.what}\` restores a cache in a job whose artifact goes to one that publishes (\`${first.what}\`).`
        if (certain && cache.certain && matched) return failing(cache.spot, detail, { confidence: 'medium', fix })
        return doubtful(cache.spot, detail, { confidence: 'low', fix })
      }),
    )
    return [[...own, ...fed]]
  })
}

// https://github.blog/changelog/2026-09-10-control-github-actions-cache-access-with-cache-mode
function restoresNothing(job: Job, workflow: Workflow): boolean {
  const mode = job.node.text('cache-mode') ?? workflow.root.text('cache-mode')
  return mode === 'none' || mode === 'write-only'
}

interface Found {
  readonly cache: CacheUse
  readonly step: Step
  /** In an action of the repository, which other jobs use as well. */
  readonly outside: boolean
}

function caches(
  steps: readonly Step[],
  packageManager: PackageManager,
  job: Job,
  workflow: Workflow,
): readonly Found[] {
  if (restoresNothing(job, workflow)) return []
  const own = new Set(job.steps)
  return steps.flatMap((step) => {
    const cache = cacheOf(step, packageManager)
    return cache === undefined ? [] : [{ cache, step, outside: !own.has(step) }]
  })
}

// What comes after the last publication cannot change what was published.
function lastIndex(steps: readonly Step[], publications: readonly Publication[]): number {
  const publishing = new Set(publications.map(({ step }) => step))
  return steps.findLastIndex((step) => publishing.has(step))
}

function fixOf(step: Step, { off, what }: CacheUse): Fix | undefined {
  if (off === undefined) return undefined
  const edits = ofNode(step) ?? setEntry(step.node, ['with', off.input], off.text)
  if (edits.length === 0) return undefined
  const description = `Turn the cache of ${what} off`
  return off.risk === undefined
    ? { safety: 'safe', description, edits }
    : { safety: 'unsafe', description, risk: off.risk, edits }
}

// Without `cache` setup-node decides by package.json from its fifth version on: the one input takes the place of the other.
function ofNode(step: Step): readonly Edit[] | undefined {
  const settings = step.node.map('with')
  const entry = settings?.entry('cache')
  if (actionOf(step.uses) !== 'actions/setup-node' || entry === undefined || (majorOf(step) ?? 5) < 5) return undefined
  if (entry.merged === true || entry.alias !== undefined || settings?.get('package-manager-cache') !== undefined)
    return undefined
  const { key, value } = entry
  return [{ path: key.file.path, start: key.start, end: value.end, text: 'package-manager-cache: false' }]
}

function packageManagerOf(texts: Scripts): PackageManager {
  const text = texts.text('package.json')
  if (text === undefined) return texts.complete ? 'none' : 'unknown'
  try {
    const root = JSON.parse(text) as {
      readonly packageManager?: unknown
      readonly devEngines?: { readonly packageManager?: { readonly name?: unknown } }
    } | null
    const name = root?.packageManager ?? root?.devEngines?.packageManager?.name
    return typeof name === 'string' ? { name } : 'none'
  } catch {
    return 'unknown'
  }
}
