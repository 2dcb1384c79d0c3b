import { posix } from 'node:path'
import { judgeEach, repoCheck } from '../../check.ts'
import { jobWithId } from '../../collect/workflows/lookup.ts'
import { permissionsOf } from '../../collect/workflows/permissions.ts'
import { isReadable } from '../../collect/source-file.ts'
import { scalarsOf, texts } from '../../collect/values/value.ts'
import {
  actions,
  workflows,
  type Action,
  type Job,
  type Step,
  type Workflow,
} from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import type { Confidence } from '../../outcome.ts'
import { both, guardOf, stops, type Guard } from './conditions.ts'
import { dangersOf, type Danger } from './events.ts'
import { checksOut, fetchesOf, type Fetch } from './fetches.ts'
import type { Standing } from './sources.ts'

/**
 * The events alone are no finding: labelling, commenting and greeting are what they are for. With code of a pull request in the
 * workspace there is one, the surer the more runs behind it and the less stands before it.
 */
export const r31 = repoCheck({
  id: 'R31',
  title: 'No workflow with privileges checks out code of outsiders',
  needs: { workflows, actions },
  judge: ({ workflows: files, actions: own }) => {
    const dangers = dangersOf(files.flatMap((parsed) => (isReadable(parsed) ? [parsed.value] : [])))
    const local = new Map(
      own.flatMap((parsed) => (isReadable(parsed) ? [[posix.dirname(parsed.file.path), parsed.value]] : [])),
    )
    return judgeEach(files, 'There is no workflow.', (workflow) =>
      (dangers.get(workflow) ?? []).flatMap((danger) =>
        workflow.jobs.flatMap((job) => ofJob(workflow, job, danger, local)),
      ),
    )
  },
})

type Actions = ReadonlyMap<string, Action>

function ofJob(workflow: Workflow, job: Job, danger: Danger, local: Actions): readonly Evidence[] {
  const { event, caller } = danger
  const filter = { closed: false, gated: danger.filtered }
  const before = caller === undefined ? open : guardOf(caller.job.node, event)
  const around = [before, guardWithNeeded(workflow, job, event, new Set())].reduce(both, filter)
  if (around.closed) return []
  const given = caller === undefined ? {} : { given: { values: caller.job.node.map('with'), by: caller } }
  const reached: Reached[] = []
  let stopped = around
  for (const step of job.steps) {
    const guard = both(stopped, guardOf(step.node, event))
    const standing = { workflow, job, step, ...given }
    if (!guard.closed) {
      const inside = reached.length < insideMax ? insideOf(standing, local) : []
      for (const inner of [standing, ...inside]) {
        const own = inner === standing ? guard : both(guard, guardOf(inner.step.node, event))
        if (!own.closed) reached.push({ standing: inner, guard: own })
      }
    }
    if (stops(step)) stopped = { ...stopped, gated: true }
  }
  const lastMoving = reached.findLastIndex(({ standing: { step } }) => step.run !== undefined && checksOut(step.run))
  return reached.flatMap(({ standing, guard }, index) => {
    const behind = { runs: index < reached.length - 1 || standing.step.run !== undefined, moves: lastMoving >= index }
    return fetchesOf(standing, event).map((fetch) =>
      judged(fetch, { ...standing, workflow, job }, guard, behind, event),
    )
  })
}

// Of jobs with more steps, counting those of actions, the actions are not looked into any more.
const insideMax = 10_000

type StepStanding = Standing & { readonly step: Step }

interface Reached {
  readonly standing: StepStanding
  readonly guard: Guard
}

/** The steps of the composite action of this repository that a step calls, with what it gives them. */
function insideOf(by: StepStanding, local: Actions): readonly StepStanding[] {
  const { uses, node } = by.step
  const action = uses?.kind === 'local' ? local.get(posix.normalize(uses.path).replace(/\/$/, '')) : undefined
  if (action === undefined) return []
  const { file, root, runs, steps } = action
  const workflow = { file, root, triggers: [], jobs: [] }
  const job = { id: by.job.id, node: runs, steps }
  return steps.map((step) => ({ workflow, job, step, given: { values: node.map('with'), by } }))
}

const open: Guard = { closed: false, gated: false }
const neededMax = 50

// A job that is skipped skips those that need it, unless they say otherwise.
function guardWithNeeded(workflow: Workflow, job: Job, event: string, seen: Set<Job>): Guard {
  if (seen.has(job) || seen.size > neededMax) return open
  seen.add(job)
  const own = guardOf(job.node, event)
  if (/\b(?:always|cancelled|failure)\s*\(/i.test(job.node.text('if') ?? '')) return own
  return texts(job.node.get('needs'))
    .flatMap((id) => jobWithId(workflow, id.toLowerCase()) ?? [])
    .map((each) => guardWithNeeded(workflow, each, event, seen))
    .reduce(both, own)
}

/** What comes behind a step in its job. */
interface Behind {
  readonly runs: boolean
  /** It, or a script behind it, takes what was fetched into the workspace. */
  readonly moves: boolean
}

function judged(
  { spot, subject, head, brings, refuses }: Fetch,
  { workflow, job, step }: StepStanding,
  { gated }: Guard,
  { runs, moves }: Behind,
  event: string,
): Evidence {
  const under = `under ${event}, which has the rights of this repository`
  if (brings === 'artifact') {
    const detail = `Files that a pull request may have made are fetched ${under}: they are data, never code, names or settings.`
    return doubtful(spot, detail, { confidence: 'medium', subject })
  }
  if (head === 'perhaps')
    return doubtful(spot, `What this names may be code of a pull request, ${under}.`, { confidence: 'low', subject })
  if (refuses === 'surely') {
    const detail = `This names code of a pull request ${under}. It is this release of checkout alone that refuses forks.`
    return doubtful(spot, detail, { confidence: 'low', subject })
  }
  if (brings === 'object' && !moves) {
    const detail = `Code of a pull request is fetched ${under}. Nothing here checks it out.`
    return doubtful(spot, detail, { confidence: 'low', subject })
  }
  const doubts = [
    // Without the repository of the pull request, it is a branch of the same name in this one.
    head === 'branch',
    gated,
    refuses === 'likely',
    job.node.get('environment') !== undefined,
    !runs,
    isHarmless(workflow, job),
    // As data in a folder of its own, for trusted scripts to look at.
    step.node.map('with')?.get('path') !== undefined,
  ].filter(Boolean).length
  const detail = `Code of a pull request is checked out ${under}${runs ? ', and the steps after it may run it' : ''}.`
  return failing(spot, detail, { confidence: confidences[Math.min(doubts, 2)] ?? 'low', subject })
}

const confidences: readonly Confidence[] = ['high', 'medium', 'low']

// The token may write nothing, and the job is given no other secret. What it leaves in caches stays reachable.
function isHarmless({ root }: Workflow, job: Job): boolean {
  const permissions = permissionsOf(job.node.get('permissions') ?? root.get('permissions'))
  if (permissions.kind !== 'scopes' || permissions.writes.length > 0) return false
  return scalarsOf(job.node).every(({ text }) => !/secrets\s*[.[](?!\s*GITHUB_TOKEN)/i.test(text))
}
