import type { Collector } from '../collector.ts'
import { isReadable, type Parsed, type Problem, type SourceFile } from '../source-file.ts'
import type { FoundFile, Tree } from '../tree.ts'
import type { Entry, MapValue, ScalarValue, Value } from '../values/value.ts'
import { parseYaml } from '../values/yaml.ts'

/** A GitHub Actions workflow, as far as its structure goes; every value keeps its place in the file. */
export interface Workflow {
  readonly file: SourceFile
  readonly root: MapValue
  /** The events of `on`, with their settings where there are any. */
  readonly triggers: readonly Trigger[]
  readonly jobs: readonly Job[]
}

export interface Trigger {
  readonly name: string
  readonly node: Value
  /** Settings of the event, such as branches. */
  readonly settings?: MapValue
}

export interface Job {
  readonly id: ScalarValue
  readonly node: MapValue
  /** The reusable workflow that it calls; it then has no steps. */
  readonly uses?: Uses
  readonly steps: readonly Step[]
}

export interface Step {
  readonly node: MapValue
  readonly uses?: Uses
  readonly run?: ScalarValue
}

/** A composite, JavaScript or container action of this repository. */
export interface Action {
  readonly file: SourceFile
  readonly root: MapValue
  readonly runs: MapValue
  /** Of a composite action. */
  readonly steps: readonly Step[]
}

/** What `uses` names. */
export type Uses =
  | {
      readonly kind: 'repository'
      readonly node: ScalarValue
      readonly name: string
      readonly path: string
      readonly ref: string
    }
  | { readonly kind: 'docker'; readonly node: ScalarValue; readonly image: string }
  | { readonly kind: 'local'; readonly node: ScalarValue; readonly path: string }
  | { readonly kind: 'unclear'; readonly node: ScalarValue }

const workflowPath = /^\.github\/workflows\/[^/]+\.ya?ml$/i
const actionPath = /(?:^|\/)action\.ya?ml$/i

export const workflows: Collector<'repo', readonly Parsed<Workflow>[]> = async (tree) => {
  const files = await tree.readAll(candidates(tree, workflowPath))
  return files.flatMap((parsed) => {
    if (!isReadable(parsed)) return [parsed]
    const yaml = parseYaml(parsed.value)
    if (!isReadable(yaml)) return [yaml]
    // A single file that lies elsewhere is one if it looks like one.
    if (!workflowPath.test(parsed.file.path) && !looksLikeWorkflow(yaml.value)) return []
    return [workflowOf(parsed.file, yaml.value)]
  })
}

export const actions: Collector<'repo', readonly Parsed<Action>[]> = async (tree) => {
  const files = await tree.readAll(tree.matching(actionPath))
  return files.flatMap((parsed) => {
    if (!isReadable(parsed)) return [parsed]
    const yaml = parseYaml(parsed.value)
    return isReadable(yaml) ? [actionOf(parsed.file, yaml.value)] : [yaml]
  })
}

function candidates(tree: Tree, pattern: RegExp): readonly FoundFile[] {
  const found = tree.matching(pattern)
  return found.length > 0 || !tree.single ? found : tree.matching(/^(?!(?:.*\/)?action\.).*\.ya?ml$/i)
}

function looksLikeWorkflow(value: Value): boolean {
  return value.kind === 'map' && value.get('jobs') !== undefined && value.get('on') !== undefined
}

function workflowOf(file: SourceFile, value: Value): Parsed<Workflow> {
  if (value.kind !== 'map')
    return unreadable(file, value, 'A workflow is a map with `on` and `jobs`, and this is not one.')
  const problems: Problem[] = []
  const on = value.get('on')
  if (on === undefined) problems.push({ spot: point(value), why: 'A workflow needs `on`: nothing starts this one.' })
  const jobs = value.get('jobs')
  if (jobs === undefined) problems.push({ spot: point(value), why: 'A workflow needs `jobs`.' })
  else if (jobs.kind !== 'map') problems.push({ spot: jobs, why: '`jobs` is a map from names to jobs.' })
  const entries = jobs?.kind === 'map' ? jobs.entries : []
  return {
    file,
    value: {
      file,
      root: value,
      triggers: triggersOf(on, problems),
      jobs: entries.flatMap((entry) => jobOf(entry, problems)),
    },
    problems,
  }
}

function triggersOf(on: Value | undefined, problems: Problem[]): readonly Trigger[] {
  if (on === undefined) return []
  if (on.kind === 'scalar') return [{ name: on.text, node: on }]
  if (on.kind === 'map')
    return on.entries.map(({ key, value }) => ({
      name: key.text,
      node: key,
      ...(value.kind === 'map' ? { settings: value } : {}),
    }))
  return on.items.flatMap((item) => {
    if (item.kind === 'scalar') return [{ name: item.text, node: item }]
    problems.push({ spot: item, why: 'An event in the list of `on` is a name.' })
    return []
  })
}

function jobOf({ key, value }: Entry, problems: Problem[]): readonly Job[] {
  if (value.kind !== 'map') {
    problems.push({ spot: key, why: `The job "${key.text}" is not a map.` })
    return []
  }
  const uses = usesOf(value)
  const steps = value.get('steps')
  if (uses === undefined && steps === undefined)
    problems.push({ spot: key, why: `The job "${key.text}" has neither \`steps\` nor \`uses\`.` })
  return [{ id: key, node: value, steps: stepsOf(steps, problems), ...(uses === undefined ? {} : { uses }) }]
}

function stepsOf(steps: Value | undefined, problems: Problem[]): readonly Step[] {
  if (steps === undefined) return []
  if (steps.kind !== 'list') {
    problems.push({ spot: steps, why: '`steps` is a list.' })
    return []
  }
  return steps.items.flatMap((node) => {
    if (node.kind !== 'map') {
      problems.push({ spot: node, why: 'A step is a map with `uses` or `run`.' })
      return []
    }
    const uses = usesOf(node)
    const run = node.scalar('run')
    return [{ node, ...(uses === undefined ? {} : { uses }), ...(run === undefined ? {} : { run }) }]
  })
}

function usesOf(map: MapValue): Uses | undefined {
  const node = map.scalar('uses')
  if (node === undefined || node.value === null) return undefined
  const text = node.text.trim()
  if (text.startsWith('./') || text.startsWith('../')) return { kind: 'local', node, path: text }
  // Of the same repository at the commit of the workflow, wherever the job has its files.
  if (text.startsWith('$/')) return { kind: 'local', node, path: `.${text.slice(1)}` }
  if (text.startsWith('docker://')) return { kind: 'docker', node, image: text.slice('docker://'.length) }
  const [, name, path = '', ref] = /^([^/@\s]+\/[^/@\s]+)(?:\/([^@]*))?@(\S+)$/.exec(text) ?? []
  return name === undefined || ref === undefined
    ? { kind: 'unclear', node }
    : { kind: 'repository', node, name, path, ref }
}

function actionOf(file: SourceFile, value: Value): Parsed<Action> {
  const runs = value.kind === 'map' ? value.map('runs') : undefined
  if (value.kind !== 'map' || runs === undefined)
    return unreadable(file, value, 'An action is a map with `runs`, and this is not one.')
  const problems: Problem[] = []
  return { file, value: { file, root: value, runs, steps: stepsOf(runs.get('steps'), problems) }, problems }
}

function unreadable<T>(file: SourceFile, { start }: Value, why: string): Parsed<T> {
  return { file, unreadable: { offset: start, why } }
}

function point({ file, start }: Value): { file: SourceFile; start: number; end: number } {
  return { file, start, end: start }
}
