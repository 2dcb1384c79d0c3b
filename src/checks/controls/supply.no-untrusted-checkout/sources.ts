import { flowsOf } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import { entryNamed, jobWithId, stepWithId } from '../../collect/workflows/lookup.ts'
import type { MapValue } from '../../collect/values/value.ts'
import type { Job, Step, Workflow } from '../../collect/workflows/workflows.ts'
import { namesPull, pullSource } from './heads.ts'

/** Where a text stands, and what its inputs were given, if that is known. */
export interface Standing {
  readonly workflow: Workflow
  readonly job: Job
  readonly step?: Step
  /** By the `with` of the job or step that calls the workflow or action that it is in. */
  readonly given?: { readonly values: MapValue | undefined; readonly by: Standing }
}

const sourcesMax = 100
const depthMax = 6
// No name of a branch or commit is as long.
const charactersMax = 2048

/** The contexts that a text is made of, as paths; those of `env`, `needs` and `inputs` as what they were set to. */
export function sourcesOf(text: string, standing: Standing): readonly string[] {
  const found = new Set<string>()
  collect(text, standing, 0, found)
  return [...found]
}

function collect(text: string, standing: Standing, depth: number, found: Set<string>): void {
  if (depth > depthMax || found.size > sourcesMax) return
  if (depth > 0 && text.length <= charactersMax && namesPull(text)) found.add(pullSource)
  if (!text.includes('${{')) return
  for (const { expression } of expressionsIn(text)) {
    if (expression === undefined) continue
    for (const flow of flowsOf(expression)) {
      if (flow.kind !== 'context' || found.size > sourcesMax) continue
      const { path } = flow.context
      const given = path[0] === 'steps' ? givenTo(path[1] ?? '', standing, depth) : undefined
      if (given !== undefined) {
        for (const source of given) found.add(source)
        continue
      }
      const set = settingOf(path, standing)
      if (set === undefined) found.add(path.join('.'))
      else collect(set.text, set.standing, depth + 1, found)
    }
  }
}

const givenToStep = new WeakMap<Step, readonly string[]>()

// A script that was given it in its environment, or has it written into it, may hand it on.
function givenTo(id: string, standing: Standing, depth: number): readonly string[] | undefined {
  const step = stepWithId(standing.job.steps, id)
  if (step?.run === undefined) return undefined
  // The steps of an action are given something else by each caller.
  let sources = standing.given === undefined ? givenToStep.get(step) : undefined
  if (sources === undefined) {
    givenToStep.set(step, [])
    const found = new Set<string>()
    for (const text of [step.run.text, ...texts(step.node.map('env'))])
      collect(text, { ...standing, step }, depth + 1, found)
    sources = [...found]
    givenToStep.set(step, sources)
  }
  // One that was given nothing of the kind looked for it itself.
  return sources.length > 0 ? sources : undefined
}

function settingOf(path: readonly string[], standing: Standing): { text: string; standing: Standing } | undefined {
  const { workflow, given } = standing
  const [root, name = '', , output = ''] = path
  if (root === 'env') {
    const text = environmentText(name, standing)
    return text === undefined ? exportedBefore(name, standing) : { text, standing }
  }
  if (root === 'needs') {
    const needed = jobWithId(workflow, name)
    const text = needed === undefined ? undefined : textOf(needed.node.map('outputs'), output)
    return text === undefined || needed === undefined ? undefined : { text, standing: { ...standing, job: needed } }
  }
  if (root === 'inputs' && given !== undefined) {
    const text = textOf(given.values, name)
    return text === undefined ? undefined : { text, standing: given.by }
  }
  return undefined
}

/** What a variable is set to by the step, the job or the workflow. */
export function environmentText(name: string, { workflow, job, step }: Standing): string | undefined {
  for (const map of [step?.node, job.node, workflow.root]) {
    const text = textOf(map?.map('env'), name.toLowerCase())
    if (text !== undefined) return text
  }
  return undefined
}

const exportersMax = 100
const exporters = new WeakMap<readonly Step[], readonly Step[]>()
const exported = new WeakMap<Step, Map<string, Exported | undefined>>()

interface Exported {
  readonly text: string
  readonly step: Step
}

/** What an earlier step of the job sets a variable to for those behind it: `echo "NAME=text" >> "$GITHUB_ENV"`. */
export function exportedBefore(
  name: string,
  standing: Standing,
): (Exported & { readonly standing: Standing }) | undefined {
  const { job, step } = standing
  if (step === undefined || !/^\w+$/.test(name)) return undefined
  let known = exporters.get(job.steps)
  if (known === undefined) {
    known = job.steps.filter(({ run }) => run?.text.includes('GITHUB_ENV')).slice(0, exportersMax)
    exporters.set(job.steps, known)
  }
  if (known.length === 0) return undefined
  const own = exported.get(step) ?? new Map<string, Exported | undefined>()
  exported.set(step, own)
  if (!own.has(name)) own.set(name, lastExport(name, known, step))
  const found = own.get(name)
  return found && { ...found, standing: { ...standing, step: found.step } }
}

function lastExport(name: string, exporting: readonly Step[], before: Step): Exported | undefined {
  const written = new RegExp(`(?<![\\w$])${name}=([^\\n"']{1,${charactersMax}})`, 'i')
  for (const step of exporting.toReversed()) {
    const text = step.node.start < before.node.start ? written.exec(step.run?.text ?? '')?.[1] : undefined
    if (text !== undefined) return { text, step }
  }
  return undefined
}

function textOf(map: MapValue | undefined, name: string): string | undefined {
  const value = entryNamed(map, name)?.value
  return value?.kind === 'scalar' ? value.text.slice(0, charactersMax) : undefined
}

function texts(map: MapValue | undefined): readonly string[] {
  return (map?.entries ?? []).flatMap(({ value }) => (value.kind === 'scalar' ? [value.text] : []))
}
