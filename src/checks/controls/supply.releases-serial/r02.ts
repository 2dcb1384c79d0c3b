import { problemsOf, repoCheck } from '../../check.ts'
import { cancels, concurrencyOf, constancyOf, type Concurrency } from '../../collect/workflows/concurrency.ts'
import { publicationsOf, type Around } from '../../collect/publishing/publishing.ts'
import { scripts } from '../../collect/shell/called-scripts.ts'
import { isReadable } from '../../collect/source-file.ts'
import { actions, workflows, type Job, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Edit, type Evidence, type Fix } from '../../evidence.ts'
import { replaceScalar, setEntry } from '../../fix/edits.ts'

export const r02 = repoCheck({
  id: 'R02',
  title: 'Release workflows have one constant concurrency group and cancel nothing',
  fixes: 'both',
  needs: { workflows, actions, scripts },
  judge: ({ workflows: files, actions: own, scripts: texts }) => {
    const errors = files.flatMap((parsed) => problemsOf(parsed))
    const all = new Releases(
      files.flatMap((parsed) => (isReadable(parsed) ? [parsed.value] : [])),
      { actions: own, scripts: texts },
    )
    const found = all.judge()
    if (found === undefined) return [...errors, stated('repo', 'NOT_APPLICABLE', 'No workflow publishes anything.')]
    return [...errors, ...found]
  },
})

/** A job that publishes, itself or through a workflow that it calls, with every concurrency that it runs under. */
interface Release {
  readonly job: Job
  readonly certain: boolean
  readonly what: string
  /** Only the name of the workflow speaks of a release. */
  readonly byName?: boolean
  readonly under: readonly Concurrency[]
}

// Of the releases of one called workflow so many are judged in its callers.
const calledMax = 20

class Releases {
  readonly #byPath: ReadonlyMap<string, Workflow>
  readonly #around: Around
  readonly #found = new Map<Workflow, readonly Release[]>()

  constructor(all: readonly Workflow[], around: Around) {
    this.#byPath = new Map(all.map((workflow) => [workflow.file.path, workflow]))
    this.#around = around
  }

  /** Undefined where nothing is released. */
  judge(): readonly Evidence[] | undefined {
    const all = [...this.#byPath.values()]
    const called = new Set(
      all.flatMap((workflow) =>
        workflow.jobs.map((job) => this.#calledBy(job)).filter((target) => target !== workflow),
      ),
    )
    let any = false
    const evidence = all.flatMap((workflow) => {
      if (isForPullRequests(workflow)) return []
      const releases = this.#releasesOf(workflow)
      if (releases.length === 0) return []
      any = true
      const callOnly = workflow.triggers.every(({ name }) => name === 'workflow_call')
      // It is judged with the workflows that call it.
      if (callOnly && called.has(workflow)) return []
      return judgeWorkflow(workflow, releases, callOnly)
    })
    return any ? evidence : undefined
  }

  // Each workflow once: they can call one another, and themselves.
  #releasesOf(workflow: Workflow): readonly Release[] {
    const seen = this.#found.get(workflow)
    if (seen !== undefined) return seen
    this.#found.set(workflow, [])
    const published = this.#look(workflow)
    const found = published.length > 0 ? published : byName(workflow)
    this.#found.set(workflow, found)
    return found
  }

  #look(workflow: Workflow): readonly Release[] {
    const common = concurrencyOf(workflow.root)
    return workflow.jobs.flatMap((job): readonly Release[] => {
      const under = [common, concurrencyOf(job.node)].filter((each) => each !== undefined)
      const target = this.#calledBy(job)
      if (target !== undefined) {
        const inner = this.#releasesOf(target).slice(0, calledMax)
        return inner.map((release) => ({ ...release, job, under: [...under, ...release.under] }))
      }
      const foreign = releasingElsewhere(job)
      if (foreign !== undefined) return [{ job, under, what: foreign, certain: false }]
      const published = publicationsOf(job, workflow, this.#around).filter(({ kind }) => kind !== 'deployment')
      const first = published.find(({ certain }) => certain !== false) ?? published[0]
      if (first === undefined) return []
      return [{ job, under, what: first.what, certain: published.some(({ certain }) => certain !== false) }]
    })
  }

  #calledBy({ uses }: Job): Workflow | undefined {
    return uses?.kind === 'local' ? this.#byPath.get(uses.path.replace(/^\.\//, '')) : undefined
  }
}

// What it does nobody here knows as publishing, and it is called a release all the same.
function byName(workflow: Workflow): readonly Release[] {
  const base = workflow.file.path.replace(/^.*\//, '').replace(/\.ya?ml$/i, '')
  const named = [base, workflow.root.text('name') ?? ''].some((name) => /^(?:release|publish)$/i.test(name.trim()))
  const job = workflow.jobs.find(({ steps }) => steps.length > 0)
  if (!named || job === undefined) return []
  const under = [concurrencyOf(workflow.root), concurrencyOf(job.node)].filter((each) => each !== undefined)
  return [{ job, under, what: `a workflow called ${base}`, certain: false, byName: true }]
}

// A workflow of another repository, of which only the name is known.
function releasingElsewhere({ uses }: Job): string | undefined {
  if (uses?.kind !== 'repository') return undefined
  return /release|publish/i.test(uses.path) ? `${uses.name}/${uses.path}` : undefined
}

function judgeWorkflow(workflow: Workflow, releases: readonly Release[], callOnly: boolean): readonly Evidence[] {
  const isGrouped = ({ under }: Release): boolean => under.some(({ group }) => group !== undefined)
  const grouped = releases.filter((release) => isGrouped(release))
  const ungrouped = releases.filter((release) => !isGrouped(release))
  const found = [
    ...releases.flatMap(({ under }) => under.flatMap((each) => cancelling(each))),
    ...grouped.flatMap((release) => varying(release)),
    ...unguarded(workflow, ungrouped, callOnly),
  ]
  if (!releases.every(({ byName: only }) => only === true)) return found
  return found.map((evidence) => ({ ...evidence, outcome: 'WARN' as const, confidence: 'low' as const }))
}

function cancelling({ cancel }: Concurrency): readonly Evidence[] {
  const state = cancels(cancel)
  if (cancel === undefined || state === 'no') return []
  const subject = `cancel-in-progress: ${cancel.text}`
  if (state === 'unclear')
    return [
      doubtful(cancel, 'Whether a running release is cancelled depends on an expression.', {
        confidence: 'low',
        subject,
      }),
    ]
  const fix: Fix = {
    safety: 'safe',
    description: 'Let a running release finish',
    edits: replaceScalar(cancel, 'false'),
  }
  return [failing(cancel, 'A newer run cancels a release that is under way.', { fix, subject })]
}

function varying({ under }: Release): readonly Evidence[] {
  const groups = under.flatMap(({ group }) => (group === undefined ? [] : [{ group, is: constancyOf(group.text) }]))
  if (groups.some(({ is }) => is.state === 'constant')) return []
  const unclear = groups.find(({ is }) => is.state === 'unclear')
  if (unclear !== undefined)
    return [
      doubtful(unclear.group, 'Whether all releases share this group depends on an expression.', {
        confidence: 'medium',
      }),
    ]
  // The one nearest to the job says most.
  const last = groups.at(-1)
  if (last === undefined || last.is.state !== 'varies') return []
  const { group, is } = last
  const fix: Fix = {
    safety: 'unsafe',
    description: 'Name one group for all runs of the workflow',
    risk,
    edits: replaceScalar(group, '${{ github.workflow }}'),
  }
  return [failing(group, `The group differs by \`${is.by}\`: two releases can run at the same time.`, { fix })]
}

const risk =
  'Every run of the workflow waits for the one before it, and of several that wait only the newest stays, unless `queue: max` is set.'

function unguarded(workflow: Workflow, ungrouped: readonly Release[], callOnly: boolean): readonly Evidence[] {
  const release = ungrouped.find(({ certain }) => certain) ?? ungrouped[0]
  if (release === undefined) return []
  const subject = `no concurrency group: ${release.what}`
  const { job, what, certain } = release
  if (callOnly)
    return [
      doubtful(
        job.id,
        `\`${what}\` runs without a concurrency group here; whether its callers have one is not known.`,
        { subject, confidence: 'medium' },
      ),
    ]
  if (!certain)
    return [
      doubtful(job.id, `\`${what}\` seems to publish, and no concurrency group keeps two of them apart.`, {
        subject,
        confidence: 'medium',
      }),
    ]
  const fix: Fix = {
    safety: 'unsafe',
    description: 'Add one group for all runs of the workflow',
    risk,
    edits: groupAdded(workflow),
  }
  return [
    failing(job.id, `\`${what}\` publishes, and no concurrency group keeps two releases apart.`, { subject, fix }),
  ]
}

// Before the jobs, where people look for it.
function groupAdded({ root }: Workflow): readonly Edit[] {
  const jobs = root.entry('jobs')
  const { file } = root
  if (root.flow || jobs === undefined || file.place(jobs.key.start).column !== 1)
    return setEntry(root, ['concurrency'], '{ group: "${{ github.workflow }}", cancel-in-progress: false }')
  const lines = ['concurrency:', '  group: ${{ github.workflow }}', '  cancel-in-progress: false', '', '']
  return [{ path: file.path, start: jobs.key.start, end: jobs.key.start, text: lines.join(file.lineEnd) }]
}

function isForPullRequests({ triggers }: Workflow): boolean {
  return (
    triggers.length > 0 && triggers.every(({ name }) => /^(?:pull_request|pull_request_target|merge_group)$/.test(name))
  )
}
