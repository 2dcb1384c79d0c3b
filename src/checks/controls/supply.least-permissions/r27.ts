import { judgeEach, repoCheck } from '../../check.ts'
import { permissionsOf, type Permissions } from '../../collect/workflows/permissions.ts'
import { isReadable, type Spot } from '../../collect/source-file.ts'
import { workflows, type Job, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'
import { mayWrite, readOnly } from './read-only.ts'

/**
 * What a job needs cannot be told from outside, so that a job may name whatever scopes it wants. What is found: a default that nobody
 * wrote down, everything at once, and `write` for the whole workflow where several jobs get it.
 */
export const r27 = repoCheck({
  id: 'R27',
  title: 'Workflows name the permissions of their token, and no more than a job needs',
  fixes: 'both',
  needs: { workflows },
  judge: ({ workflows: files }) => {
    const readable = files.flatMap((parsed) => (isReadable(parsed) ? [parsed.value] : []))
    const calls = new Calls(readable)
    return judgeEach(files, 'There is no workflow.', (workflow) => judged(workflow, calls))
  },
})

function judged(workflow: Workflow, calls: Calls): readonly Evidence[] {
  const top = permissionsOf(workflow.root.get('permissions'))
  const jobs = workflow.jobs.map((job) => ({ job, own: permissionsOf(job.node.get('permissions')) }))
  const inheriting = jobs.filter(({ own }) => own.kind === 'default').map(({ job }) => job)
  return [
    ...broad(top, jobs.length > 0 && inheriting.length === 0 ? 'no job' : 'every job'),
    ...jobs.flatMap(({ own }) => broad(own, 'this job')),
    ...(top.kind === 'default' ? undecided(workflow, inheriting, calls) : []),
    ...(top.kind === 'scopes' && inheriting.length > 1 ? shared(top, inheriting) : []),
  ]
}

function broad(permissions: Permissions, whose: 'every job' | 'this job' | 'no job'): readonly Evidence[] {
  if (permissions.kind === 'refused')
    return [unjudged('ERROR', permissions.node, permissions.why, { subject: permissions.why })]
  if (permissions.kind !== 'all') return []
  const { node, level } = permissions
  const subject = `${level}-all`
  // Each job says what it needs.
  if (whose === 'no job' && level === 'read') return []
  if (whose === 'no job')
    return [doubtful(node, 'It holds for no job yet, and in full for the next one.', { confidence: 'low', subject })]
  return level === 'write'
    ? [failing(node, `The token of ${whose} may do everything.`, { subject })]
    : [
        doubtful(node, `The token of ${whose} may read everything, also what it has no use for.`, {
          confidence: 'low',
          subject,
        }),
      ]
}

/**
 * `write` for more than one job; with one it is the same whether the workflow or the job says it. That a job has no use for it shows
 * where nothing in it is given the token; where all may use it, they may also need it.
 */
function shared({ writes }: Extract<Permissions, { kind: 'scopes' }>, inheriting: readonly Job[]): readonly Evidence[] {
  const idle = inheriting.find((job) => !mayWrite(job))
  return writes.map(({ name, level }) => {
    const spot = { file: name.file, start: name.start, end: Math.max(name.end, level.end) }
    const subject = `${name.text}: write for all jobs`
    if (idle === undefined)
      return doubtful(spot, `${inheriting.length} jobs share "${name.text}: write": say it on each that needs it.`, {
        confidence: 'low',
        subject,
      })
    const detail = `Every job without permissions of its own gets "${name.text}: write", also "${idle.id.text}", which shows no use for it.`
    return failing(spot, detail, { confidence: 'medium', subject })
  })
}

/** Nothing says what the token may do: then the settings of the repository or organization do, and they may say: everything. */
function undecided(workflow: Workflow, inheriting: readonly Job[], calls: Calls): readonly Evidence[] {
  // A workflow that others call never has more than they give it.
  if (workflow.triggers.length > 0 && workflow.triggers.every(({ name }) => name === 'workflow_call')) return []
  const open = inheriting.filter((job) => !calls.restrict(job))
  const why = 'what its token may do is left to the settings of the repository, which may be everything'
  if (open.length > 0 && open.length === workflow.jobs.length) {
    const fix = readOnly(workflow)
    return [failing(placeOf(workflow), `There are no permissions: ${why}.`, { subject: 'no permissions', fix })]
  }
  return open.map(({ id }) =>
    failing(id, `The job "${id.text}" has no permissions: ${why}.`, { subject: 'job without permissions' }),
  )
}

/** A called workflow of this repository takes less than it is offered wherever it says so. */
class Calls {
  readonly #workflows: ReadonlyMap<string, Workflow>
  readonly #known = new Map<string, boolean>()

  constructor(readable: readonly Workflow[]) {
    this.#workflows = new Map(readable.map((workflow) => [workflow.file.path, workflow]))
  }

  restrict({ uses }: Job): boolean {
    if (uses?.kind !== 'local') return false
    const path = uses.path.replace(/^\.\//, '')
    const known = this.#known.get(path)
    if (known !== undefined) return known
    // Of calls in a circle nobody says anything.
    this.#known.set(path, false)
    const called = this.#workflows.get(path)
    const restricted =
      called !== undefined &&
      (called.root.get('permissions') !== undefined ||
        called.jobs.every((job) => job.node.get('permissions') !== undefined || this.restrict(job)))
    this.#known.set(path, restricted)
    return restricted
  }
}

function placeOf({ root }: Workflow): Spot {
  return root.entry('jobs')?.key ?? { file: root.file, start: root.start, end: root.start }
}
