import type { Entry, MapValue } from '../values/value.ts'
import type { Job, Step, Workflow } from './workflows.ts'

// Each is built once, so that what looks up each name in each step stays linear in the file.
const byName = new WeakMap<MapValue, Map<string, Entry>>()
const byId = new WeakMap<readonly Step[], Map<string, Step>>()
const jobsById = new WeakMap<readonly Job[], Map<string, Job>>()

/** The entry of a map whose key is this name but for case; the name is in lower case. */
export function entryNamed(map: MapValue | undefined, name: string): Entry | undefined {
  if (map === undefined) return undefined
  let entries = byName.get(map)
  if (entries === undefined) {
    entries = new Map(map.entries.map((entry) => [entry.key.text.toLowerCase(), entry]))
    byName.set(map, entries)
  }
  return entries.get(name)
}

/** The step with an `id`, in lower case. */
export function stepWithId(steps: readonly Step[], id: string): Step | undefined {
  let known = byId.get(steps)
  if (known === undefined) {
    known = new Map(steps.map((step) => [step.node.text('id')?.toLowerCase() ?? '', step]))
    byId.set(steps, known)
  }
  return known.get(id)
}

/** The job of a workflow by its name, in lower case. */
export function jobWithId({ jobs }: Workflow, id: string): Job | undefined {
  let known = jobsById.get(jobs)
  if (known === undefined) {
    known = new Map(jobs.map((job) => [job.id.text.toLowerCase(), job]))
    jobsById.set(jobs, known)
  }
  return known.get(id)
}
