import { texts } from '../../collect/values/value.ts'
import type { Trigger, Workflow } from '../../collect/workflows/workflows.ts'
import type { Standing } from './sources.ts'

/** An event that brings a write token and secrets, whoever started it; `caller`: the job that calls this workflow under it. */
export interface Danger {
  readonly event: PrivilegedEvent
  /** Only runs of named branches are followed. A fork may name its own so. */
  readonly filtered: boolean
  readonly caller?: Standing
}

export type PrivilegedEvent = 'pull_request_target' | 'workflow_run' | 'issue_comment'

const privileged: ReadonlySet<string> = new Set<PrivilegedEvent>([
  'pull_request_target',
  'workflow_run',
  'issue_comment',
])

// So many calls of one workflow are told apart.
const callersMax = 20

/** The dangers of each workflow; of one that others of the same repository call also theirs, one step up. */
export function dangersOf(workflows: readonly Workflow[]): ReadonlyMap<Workflow, readonly Danger[]> {
  const byName = new Map(workflows.map((workflow) => [workflow.root.text('name') ?? workflow.file.path, workflow]))
  const own = new Map(workflows.map((workflow) => [workflow, ownDangers(workflow, byName)]))
  const found = new Map<Workflow, Danger[]>([...own].map(([workflow, dangers]) => [workflow, [...dangers]]))
  const byPath = new Map(workflows.map((workflow) => [workflow.file.path, workflow]))
  for (const [workflow, dangers] of own) {
    if (dangers.length === 0) continue
    for (const job of workflow.jobs) {
      const called = job.uses?.kind === 'local' ? byPath.get(job.uses.path.replace(/^\.\//, '')) : undefined
      if (called === undefined) continue
      const known = found.get(called)
      if (known === undefined || known.length > callersMax) continue
      known.push(...dangers.map((danger) => ({ ...danger, caller: { workflow, job } })))
    }
  }
  return found
}

function ownDangers({ triggers }: Workflow, byName: ReadonlyMap<string, Workflow>): readonly Danger[] {
  return triggers.flatMap((trigger) =>
    isPrivileged(trigger.name) && !followsTrusted(trigger, byName)
      ? [
          {
            event: trigger.name,
            filtered: trigger.name === 'workflow_run' && trigger.settings?.get('branches') !== undefined,
          },
        ]
      : [],
  )
}

function isPrivileged(name: string): name is PrivilegedEvent {
  return privileged.has(name)
}

// It follows workflows of this repository alone, and no pull request starts one of them.
function followsTrusted({ name, settings }: Trigger, byName: ReadonlyMap<string, Workflow>): boolean {
  if (name !== 'workflow_run') return false
  const followed = texts(settings?.get('workflows')).map((each) => byName.get(each))
  return followed.length > 0 && followed.every((workflow) => workflow !== undefined && !startedByOutsiders(workflow))
}

function startedByOutsiders({ triggers }: Workflow): boolean {
  return triggers.some((trigger) =>
    /^(?:pull_request|issue|discussion|workflow_run|workflow_call|fork|watch)/.test(trigger.name),
  )
}
