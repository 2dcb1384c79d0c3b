import { expandedSteps } from './publishing.ts'
import type { Parsed } from '../source-file.ts'
import { actionOf, inputOf } from '../workflows/uses.ts'
import { texts } from '../values/value.ts'
import type { Action, Job, Step, Workflow } from '../workflows/workflows.ts'

/** A job whose artifacts a later job takes over. */
export interface Feeder {
  readonly job: Job
  /** Its steps up to the last upload. */
  readonly uploads: readonly Step[]
  /** The later job surely takes what this one uploads: the names are the same, or it takes all. */
  readonly matched: boolean
}

/** The jobs before a job, as `needs` says, that upload an artifact which it may download. */
export function feeding(workflow: Workflow, job: Job, actions: readonly Parsed<Action>[]): readonly Feeder[] {
  const downloads = expandedSteps(job.steps, actions).filter(
    ({ uses }) => actionOf(uses) === 'actions/download-artifact',
  )
  if (downloads.length === 0) return []
  return before(workflow, job).flatMap((earlier) => {
    const uploads = uploadsOf(earlier, actions)
    if (uploads.length === 0) return []
    const made = uploads.filter(({ uses }) => actionOf(uses) === 'actions/upload-artifact')
    const matched = made.some((upload) => downloads.some((download) => takes(download, upload)))
    return [{ job: earlier, uploads, matched }]
  })
}

const uploading = new WeakMap<Job, readonly Step[]>()

function uploadsOf(job: Job, actions: readonly Parsed<Action>[]): readonly Step[] {
  const seen = uploading.get(job)
  if (seen !== undefined) return seen
  const steps = expandedSteps(job.steps, actions)
  const found = steps.slice(0, steps.findLastIndex(({ uses }) => actionOf(uses) === 'actions/upload-artifact') + 1)
  uploading.set(job, found)
  return found
}

function takes(download: Step, upload: Step): boolean {
  const wanted = inputOf(download, 'name')
  const made = inputOf(upload, 'name') ?? 'artifact'
  if (wanted === undefined)
    return inputOf(download, 'pattern') === undefined && inputOf(download, 'artifact-ids') === undefined
  return wanted === made
}

// More jobs than that no release waits for.
const jobsMax = 300
const byId = new WeakMap<Workflow, ReadonlyMap<string, Job>>()

function before(workflow: Workflow, job: Job): readonly Job[] {
  const known = byId.get(workflow) ?? new Map(workflow.jobs.map((each) => [each.id.text, each]))
  byId.set(workflow, known)
  const found = new Set<Job>()
  const open: Job[] = [job]
  for (let each = open.pop(); each !== undefined && found.size < jobsMax; each = open.pop()) {
    for (const id of texts(each.node.get('needs'))) {
      const needed = known.get(id)
      if (needed === undefined || found.has(needed) || needed === job) continue
      found.add(needed)
      open.push(needed)
    }
  }
  return [...found]
}
