import { mayPublish, publishingActions, publishingPrograms, type Publishes } from './publishing-facts.ts'
import type { Scripts } from '../shell/called-scripts.ts'
import type { Parsed, Spot } from '../source-file.ts'
import { callsOf, type Call } from '../shell/step-calls.ts'
import { actionOf, localAction } from '../workflows/uses.ts'
import type { Action, Job, Step, Workflow } from '../workflows/workflows.ts'
import { workingFolder } from './pushing.ts'

/** A place in a workflow where something gets out: a package, a release, an image, a deployment. */
export interface Publication extends Publishes {
  /** What does it: `npm publish`, `docker/build-push-action`. */
  readonly what: string
  readonly spot: Spot
  /** The step that does it; of a composite action its own. */
  readonly step: Step
  /** Where it is a program. */
  readonly call?: Call
}

export interface Around {
  readonly scripts: Scripts
  readonly actions: readonly Parsed<Action>[]
}

const known = new WeakMap<Job, readonly Publication[]>()

/** What the steps of a job publish, those of the composite actions of the repository among them. */
export function publicationsOf(job: Job, workflow: Workflow, around: Around): readonly Publication[] {
  const seen = known.get(job)
  if (seen !== undefined) return seen
  const found = job.steps.flatMap((step) => ofStep(step, workingFolder(step, job, workflow), around, 0))
  known.set(job, found)
  return found
}

const stepsMax = 5000
const expanded = new WeakMap<readonly Step[], readonly Step[]>()

/** The steps of a job in their order, with those of composite actions of the repository behind the step that uses them. */
export function expandedSteps(steps: readonly Step[], actions: readonly Parsed<Action>[]): readonly Step[] {
  const seen = expanded.get(steps)
  if (seen !== undefined) return seen
  const found: Step[] = []
  const visit = (all: readonly Step[], depth: number): void => {
    for (const step of all) {
      found.push(step)
      const action = depth < 5 && found.length < stepsMax ? localAction(step.uses, actions) : undefined
      if (action !== undefined) visit(action.steps, depth + 1)
    }
  }
  visit(steps, 0)
  expanded.set(steps, found)
  return found
}

function ofStep(step: Step, folder: string | undefined, around: Around, depth: number): readonly Publication[] {
  const { uses, run } = step
  if (isNever(step)) return []
  if (uses !== undefined) {
    const action = depth < 5 ? localAction(uses, around.actions) : undefined
    if (action !== undefined) {
      return ofAction(action, around, depth).map((publication) => ({ ...publication, spot: uses.node }))
    }
    const name = actionOf(uses)
    const publishes = name === undefined ? undefined : publishingActions.get(name)?.(step)
    return name === undefined || publishes === undefined ? [] : [{ ...publishes, what: name, spot: uses.node, step }]
  }
  if (run === undefined || !mayPublish.test(run.text)) return []
  const { calls, unread } = callsOf(step, around.scripts, folder)
  const certain = calls.flatMap((call): readonly Publication[] => {
    const publishes = publishingPrograms.get(call.name)?.(call.args)
    if (publishes === undefined) return []
    return [{ ...publishes, what: [call.name, ...call.args.slice(0, 1)].join(' '), spot: call.spot, step, call }]
  })
  if (certain.length > 0) return certain
  return unread
    .filter(
      ({ what, text }) =>
        /release|publish/i.test(what) && !/dry|check|test|lint|note|draft|prepare|changelog/i.test(what) && text !== '',
    )
    .map(({ what, spot }) => ({ kind: 'package', certain: false, what, spot, step }))
}

const ofActions = new WeakMap<Action, readonly Publication[]>()
const ofActionMax = 50

// Each action once: they can use one another, and themselves.
function ofAction(action: Action, around: Around, depth: number): readonly Publication[] {
  const seen = ofActions.get(action)
  if (seen !== undefined) return seen
  ofActions.set(action, [])
  const found = action.steps.flatMap((each) => ofStep(each, '.', around, depth + 1)).slice(0, ofActionMax)
  ofActions.set(action, found)
  return found
}

function isNever({ node }: Step): boolean {
  // With anything around the braces, a line end too, it is a text, and every text is true.
  return /^(?:\s*false\s*|\$\{\{\s*false\s*\}\})$/.test(node.text('if') ?? '')
}
