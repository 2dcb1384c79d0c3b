import { posix } from 'node:path'
import { contextsIn } from '../workflows/expression-flow.ts'
import { expressionsIn } from '../workflows/expressions.ts'
import { registries } from './registries.ts'
import { expandedSteps, type Around, type Publication } from './publishing.ts'
import type { Registry } from './publishing-facts.ts'
import type { Spot } from '../source-file.ts'
import { actionOf, inputOf } from '../workflows/uses.ts'
import type { MapValue, ScalarValue } from '../values/value.ts'
import type { Job, Step, Workflow } from '../workflows/workflows.ts'

/** A value that a job publishes with. */
export interface PublishToken {
  readonly spot: Spot
  /** The variable, the input or the option that holds it. */
  readonly where: string
  /** A secret of the repository; or something whose source is not seen here. */
  readonly kind: 'secret' | 'unclear'
}

/** Where a package goes: the public registry, another one, or nobody can tell. */
export function destinationOf(
  publication: Publication,
  registry: Registry,
  { job, workflow, around }: { readonly job: Job; readonly workflow: Workflow; readonly around: Around },
): 'public' | 'other' | 'unclear' {
  const fact = registries[registry]
  const named =
    publication.target ??
    (registry === 'npm' ? setUpRegistry(publication, expandedSteps(job.steps, around.actions)) : undefined) ??
    environments(publication.step, job, workflow)
      .map((env) => fact.elsewhere.map((name) => env.text(name)).find((each) => each !== undefined))
      .find((each) => each !== undefined) ??
    (registry === 'npm' ? manifestRegistry(publication, around) : undefined)
  if (named === undefined || named === '') return 'public'
  if (named.includes('$')) return 'unclear'
  return fact.own.test(named) ? 'public' : 'other'
}

/** The tokens that a publication can see, each place once. */
export function tokensOf(
  publication: Publication,
  registry: Registry,
  { job, workflow, around }: { readonly job: Job; readonly workflow: Workflow; readonly around: Around },
): readonly PublishToken[] {
  const fact = registries[registry]
  const { step, call } = publication
  const found: PublishToken[] = []
  const see = (scalar: ScalarValue, where: string): void => {
    const kind = kindOf(scalar.text)
    if (kind !== undefined) found.push({ spot: scalar, where, kind })
  }
  const envs = environments(step, job, workflow)
  const named = new Set<string>()
  const asked = call?.args.filter((arg) => arg.includes('$')) ?? []
  for (const env of envs) {
    for (const { key, value } of env.entries) {
      if (value.kind !== 'scalar' || named.has(key.text)) continue
      named.add(key.text)
      const given = asked.some((arg) => new RegExp(`\\$\\{?(?:env:)?${escaped(key.text)}\\b`).test(arg))
      if (fact.variables.test(key.text) || given) see(value, key.text)
    }
  }
  for (const name of fact.inputs) {
    const input = step.node.map('with')?.scalar(name)
    if (input !== undefined) see(input, name)
  }
  for (const arg of call?.args ?? []) {
    const kind = kindOf(arg)
    if (call !== undefined && kind !== undefined)
      found.push({ spot: call.spot, where: `the arguments of ${publication.what}`, kind })
  }
  const steps = expandedSteps(job.steps, around.actions)
  for (const earlier of steps.slice(0, Math.max(0, steps.indexOf(step)))) found.push(...logins(earlier, registry))
  return [...new Map(found.map((token) => [token.spot, token])).values()]
}

/** Whether a job may ask for a token that says who it is. */
export function hasIdentity(job: Job, workflow: Workflow): boolean {
  const permissions = job.node.get('permissions') ?? workflow.root.get('permissions')
  if (permissions?.kind === 'scalar') return permissions.text === 'write-all'
  return permissions?.kind === 'map' && permissions.text('id-token') === 'write'
}

// A secret; `inputs` and what else comes from outside are unclear. What a step has made is no long-lived token.
function kindOf(text: string): PublishToken['kind'] | undefined {
  if (!text.includes('${{')) return undefined
  let unclear = false
  for (const { expression } of expressionsIn(text)) {
    for (const { path } of expression === undefined ? [] : contextsIn(expression)) {
      const [scope, name] = path
      if (scope === 'secrets' && name !== 'github_token') return 'secret'
      if (scope === 'inputs') unclear = true
    }
  }
  return unclear ? 'unclear' : undefined
}

// A step that writes the token to where the program looks for it.
function logins({ node, run, uses }: Step, registry: Registry): readonly PublishToken[] {
  const fact = registries[registry]
  if (registry === 'RubyGems' && actionOf(uses) === 'rubygems/configure-rubygems-credentials') {
    const input = node.map('with')?.scalar('api-token')
    const kind = input === undefined ? undefined : kindOf(input.text)
    return input === undefined || kind === undefined ? [] : [{ spot: input, where: 'api-token', kind }]
  }
  if (run === undefined || !fact.login.test(run.text) || /npm\.pkg\.github\.com/.test(run.text)) return []
  const found: PublishToken[] = []
  for (const { key, value } of node.map('env')?.entries ?? []) {
    const kind = value.kind === 'scalar' ? kindOf(value.text) : undefined
    if (kind !== undefined && run.text.includes(key.text)) found.push({ spot: value, where: key.text, kind })
  }
  for (const expression of expressionsIn(run.text)) {
    const kind = kindOf(run.text.slice(expression.start, expression.end))
    if (kind !== undefined)
      found.push({ spot: run.inside(expression.start, expression.end), where: 'the script', kind })
  }
  return found
}

/** The maps of variables that a step sees, the nearest first. */
export function environments(step: Step, job: Job, workflow: Workflow): readonly MapValue[] {
  return [step.node.map('env'), job.node.map('env'), workflow.root.map('env')].filter((env) => env !== undefined)
}

// The last one before the publication says where npm goes.
function setUpRegistry({ step }: Publication, steps: readonly Step[]): string | undefined {
  const setUp = steps
    .slice(0, Math.max(0, steps.indexOf(step)))
    .findLast((each) => actionOf(each.uses) === 'actions/setup-node' && inputOf(each, 'registry-url') !== undefined)
  return setUp === undefined ? undefined : inputOf(setUp, 'registry-url')
}

function manifestRegistry({ call }: Publication, { scripts }: Around): string | undefined {
  const text = scripts.text(posix.join(call?.folder ?? '.', 'package.json'))
  if (text === undefined || !text.includes('publishConfig')) return undefined
  try {
    const config = (JSON.parse(text) as { publishConfig?: { registry?: unknown } } | null)?.publishConfig
    return typeof config?.registry === 'string' ? config.registry : undefined
  } catch {
    return undefined
  }
}

function escaped(name: string): string {
  return name.replaceAll(/[^\w]/g, String.raw`\$&`)
}
