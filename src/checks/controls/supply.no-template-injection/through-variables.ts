import { parseExpression, type FoundExpression } from '../../collect/workflows/expressions.ts'
import { entryNamed } from '../../collect/workflows/lookup.ts'
import { matrixValues } from '../../collect/workflows/matrix.ts'
import type { MapValue, ScalarValue } from '../../collect/values/value.ts'
import type { Action, Job, Workflow } from '../../collect/workflows/workflows.ts'
import type { Edit, Fix } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { shellPlaces, type ShellPlace } from '../../collect/shell/expression-places.ts'
import type { Place, Taint } from './taint.ts'

/** An expression that brings text of others; without taint it is one that GitHub refuses. */
export type Tainted = FoundExpression & { readonly taint: Taint | undefined }

interface Replacement {
  readonly variable: string
  /** What the variable is set to; absent where it is there already. */
  readonly value?: string
  readonly splits: boolean
  readonly edit: Edit
}

/**
 * The fix of a step by where the expression starts that it is shown at: the first one carries it for the whole step, since they all
 * write to the same `env`. What might break something comes only once the rest is done.
 */
export function throughVariables(
  document: Workflow | Action,
  place: Place,
  code: ScalarValue,
  found: readonly Tainted[],
): ReadonlyMap<number, Fix> {
  const fixes = new Map<number, Fix>()
  const { step, job } = place
  const run = step?.node.entry('run')
  if (step === undefined || run === undefined || run.value !== code || !isBash(document, job, step.node)) return fixes
  // An `env` that an anchor or a merge key brings belongs to others too.
  const env = step.node.get('env')
  if (step.node.flow || (env !== undefined && (env.kind !== 'map' || env.flow || !within(env, step.node)))) return fixes
  const names = new Names(code.text, [step.node, job?.node, document.root])
  const places = shellPlaces(code.text, found)
  const replacements = found.flatMap((each) => {
    const where = places.get(each.start)
    const replacement = where === undefined ? undefined : replacementOf(code, each, where, names)
    return replacement === undefined ? [] : [{ start: each.start, ...replacement }]
  })
  const safe = replacements.filter(({ splits }) => !splits)
  const chosen = safe.length > 0 ? safe : replacements
  const [first] = chosen
  if (first !== undefined) fixes.set(first.start, fixOf(chosen, step.node, run.key))
  return fixes
}

function fixOf(chosen: readonly Replacement[], step: MapValue, run: ScalarValue): Fix {
  const variables = new Map(chosen.flatMap(({ variable, value }) => (value === undefined ? [] : [[variable, value]])))
  const edits = [...environment(step, run, variables), ...chosen.map(({ edit }) => edit)]
  const names = [...new Set(chosen.map(({ variable }) => variable))].join(', ')
  const description = `Give the script the text in the environment (${names}), where it stays text`
  if (!chosen.some(({ splits }) => splits)) return { safety: 'safe', description, edits }
  return {
    safety: 'unsafe',
    description,
    risk: 'A value that was meant to become several words of the command is one word afterwards, and an empty one an empty word.',
    edits,
  }
}

function environment(step: MapValue, run: ScalarValue, variables: ReadonlyMap<string, string>): readonly Edit[] {
  if (variables.size === 0) return []
  const { file } = step
  if (step.get('env') !== undefined) {
    const added = [...variables].flatMap(([name, value]) => setEntry(step, ['env', name], value))
    const [first] = added
    // They all go behind the last entry: one insertion.
    return first === undefined ? [] : [{ ...first, text: added.map(({ text }) => text).join('') }]
  }
  const indent = ' '.repeat(file.place(run.start).column - 1)
  const lines = [...variables].map(([name, value]) => `${indent}  ${name}: ${value}${file.lineEnd}`)
  return [{ path: file.path, start: run.start, end: run.start, text: `env:${file.lineEnd}${lines.join('')}${indent}` }]
}

function replacementOf(
  code: ScalarValue,
  { start, end, text, taint }: Tainted,
  place: ShellPlace,
  names: Names,
): Replacement | undefined {
  const spot = code.inside(place.start, place.end)
  // Escapes of YAML, or quotes at the start of a plain value, would need more than this.
  if (code.file.text.slice(spot.start, spot.end) !== code.text.slice(place.start, place.end)) return undefined
  if (code.style === 'quoted' || (code.style === 'plain' && place.start === 0)) return undefined
  if (/[\r\n]|: | #/.test(text)) return undefined
  const known = names.inEnvironment(text)
  const variable = known ?? names.of(text, taint?.origin ?? 'value')
  const written = place.quoted ? `\${${variable}}` : `"\${${variable}}"`
  return {
    variable,
    ...(known === undefined ? { value: code.text.slice(start, end) } : {}),
    splits: place.splits,
    edit: { path: code.file.path, start: spot.start, end: spot.end, text: written },
  }
}

/** Names for variables that nothing in the step has yet; the same one for the same expression. */
class Names {
  readonly #script: string
  readonly #environments: readonly (MapValue | undefined)[]
  readonly #given = new Map<string, string>()

  constructor(script: string, maps: readonly (MapValue | undefined)[]) {
    this.#script = script
    this.#environments = maps.map((map) => map?.map('env'))
  }

  /** `env.NAME` of a variable that the step has anyway. */
  inEnvironment(text: string): string | undefined {
    const expression = parseExpression(text)
    if (expression?.kind !== 'context' || expression.path[0] !== 'env' || expression.path.length !== 2) return undefined
    // Unless the script sets it to something else.
    return this.#taken(expression.path[1] ?? '').find(
      (name) => /^\w+$/.test(name) && !this.#script.includes(`${name}=`),
    )
  }

  of(text: string, origin: string): string {
    const given = this.#given.get(text)
    if (given !== undefined) return given
    const parts = origin.split('.').filter((part) => part !== 'github' && part !== 'event' && part !== 'outputs')
    let name = parts.join('_').replaceAll(/\W+/g, '_').replaceAll(/_+/g, '_').replaceAll(/^_|_$/g, '').toUpperCase()
    if (!/^[A-Z]\w*_\w+$/.test(name)) name = `VALUE_${name}`
    const others = new Set(this.#given.values())
    while (others.has(name) || this.#script.includes(name) || this.#taken(name.toLowerCase()).length > 0)
      name += '_TEXT'
    this.#given.set(text, name)
    return name
  }

  #taken(name: string): readonly string[] {
    return this.#environments.flatMap((map) => entryNamed(map, name)?.key.text ?? [])
  }
}

function within(inner: { start: number; end: number }, outer: { start: number; end: number }): boolean {
  return inner.start >= outer.start && inner.end <= outer.end
}

// Without a shell named, it is bash (or sh in a container) on every runner but those of Windows.
function isBash(document: Workflow | Action, job: Job | undefined, step: MapValue): boolean {
  const shell = [step.get('shell'), defaultShell(job?.node), defaultShell(document.root)].find(
    (each) => each !== undefined,
  )
  if (shell !== undefined) return shell.kind === 'scalar' && /^(?:ba)?sh(?:\s|$)/.test(shell.text)
  const runner = job?.node.get('runs-on')
  if (job === undefined || runner?.kind !== 'scalar') return false
  const expression = /^\$\{\{(.*)\}\}$/.exec(runner.text.trim())?.[1]
  if (expression === undefined) return isUnix(runner)
  const parsed = parseExpression(expression)
  if (parsed?.kind !== 'context' || parsed.path[0] !== 'matrix') return false
  return matrixValues(job.node, parsed.path.slice(1))?.every(isUnix) === true
}

function isUnix({ text }: ScalarValue): boolean {
  return !text.includes('${{') && /^(?:ubuntu|macos)/i.test(text)
}

function defaultShell(map: MapValue | undefined): MapValue['entries'][number]['value'] | undefined {
  return map?.map('defaults')?.map('run')?.get('shell')
}
