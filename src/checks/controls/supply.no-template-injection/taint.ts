import { authorOf } from '../../collect/workflows/event-contexts.ts'
import { flowsOf } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn, type Expression } from '../../collect/workflows/expressions.ts'
import { entryNamed, jobWithId, stepWithId } from '../../collect/workflows/lookup.ts'
import type { Value } from '../../collect/values/value.ts'
import type { Action, Job, Step, Workflow } from '../../collect/workflows/workflows.ts'
import { isForeignOutput, passedThrough } from './foreign-outputs.ts'
import { inputsOfText, refsArePlain } from './triggers.ts'
import { mayCarry } from './written-outputs.ts'

/** Text in an expression that somebody else chose. */
export interface Taint {
  /**
   * `anybody`, `members`: of GitHub's event. `fetched`: an action's output that is known to hold such text. `caller`: an input of a
   * workflow or action that others call. `dispatch`: an input of who starts the workflow by hand. `relayed`: what a script writes that
   * was given such text.
   */
  readonly kind: 'anybody' | 'fetched' | 'caller' | 'dispatch' | 'relayed' | 'members'
  /** The context that brings it, as a path. */
  readonly origin: string
}

/** Worst first. */
const ranks = ['anybody', 'fetched', 'caller', 'dispatch', 'relayed', 'members'] as const

// They mean the same in every step.
const everywhere = new Set(['github', 'inputs', 'needs'])
const settersMax = 100
// As many steps back as nobody goes.
const depthMax = 100

/** Where an expression stands: what `env`, `steps` and `matrix` mean there. */
export interface Place {
  readonly job?: Job | undefined
  readonly step?: Step | undefined
}

/** Follows contexts to where their text comes from, in one file. Each is followed once for each place. */
export class Tracer {
  readonly #document: Workflow | Action
  readonly #inputs: ReadonlyMap<string, 'caller' | 'dispatch'>
  readonly #known = new Map<Job | Step | undefined, Map<string, Taint | undefined>>()
  #depth = 0
  readonly #givenTo = new Map<Step, Taint | undefined>()
  readonly #setters = new Map<Job | undefined, readonly Step[]>()

  constructor(document: Workflow | Action) {
    this.#document = document
    this.#inputs = inputsOfText(document)
  }

  /** The worst text that gets into the result of an expression. */
  of(expression: Expression, place: Place): Taint | undefined {
    return worst(
      flowsOf(expression).map((flow) =>
        flow.kind === 'context' ? this.#context(flow.context.path, flow.whole, place) : undefined,
      ),
    )
  }

  #context(path: readonly string[], whole: boolean, place: Place): Taint | undefined {
    const scope = everywhere.has(path[0] ?? '') ? undefined : (place.step ?? place.job)
    const known = this.#known.get(scope) ?? new Map<string, Taint | undefined>()
    this.#known.set(scope, known)
    const key = `${path.join('.')}${whole ? ' *' : ''}`
    if (known.has(key)) return known.get(key)
    // What leads back to itself brings nothing more.
    known.set(key, undefined)
    if (this.#depth > depthMax) return undefined
    this.#depth += 1
    const taint = this.#follow(path, whole, place)
    this.#depth -= 1
    known.set(key, taint)
    return taint
  }

  #follow(path: readonly string[], whole: boolean, place: Place): Taint | undefined {
    const [root = '', first, second, third] = path
    switch (root) {
      case 'github':
        return this.#github(path, whole)
      case 'inputs':
        return this.#input(first ?? '?', path)
      case 'env':
        return first === undefined ? undefined : this.#env(first, place)
      case 'matrix':
        return this.#value(place.job?.node.map('strategy')?.get('matrix'), { job: place.job }, first)
      case 'steps':
        return first === undefined || second !== 'outputs' ? undefined : this.#output(first, third ?? '?', place)
      case 'needs':
        return first === undefined || second !== 'outputs' ? undefined : this.#ofJob(first, third ?? '?')
      default:
        return undefined
    }
  }

  #github(path: readonly string[], whole: boolean): Taint | undefined {
    if (path[1] === 'event' && path[2] === 'inputs') return this.#input(path[3] ?? '?', path)
    const kind = authorOf(path, whole)
    if (kind === undefined) return undefined
    if (kind === 'members' && path.length === 2 && refsArePlain(this.#document, path[1])) return undefined
    return { kind, origin: path.join('.') }
  }

  #input(name: string, path: readonly string[]): Taint | undefined {
    const all = name === '?' || name === '*'
    const kind = this.#inputs.get(all ? '*' : name) ?? ('jobs' in this.#document ? undefined : 'caller')
    return kind === undefined ? undefined : { kind, origin: path.join('.') }
  }

  #env(name: string, { job, step }: Place): Taint | undefined {
    for (const map of [step?.node, job?.node, this.#document.root]) {
      const value = entryNamed(map?.map('env'), name)?.value
      if (value !== undefined) return this.#value(value, { job, step: map === step?.node ? step : undefined })
    }
    if (step === undefined) return undefined
    const before = this.#settersOf(job).filter(({ node }) => node.start < step.node.start)
    return worst(before.map((setter) => this.#written(setter, name, 'GITHUB_ENV', job)))
  }

  // The steps that set variables for those behind them; so many of one job are looked at.
  #settersOf(job: Job | undefined): readonly Step[] {
    let setters = this.#setters.get(job)
    if (setters === undefined) {
      const all = this.#steps(job).filter(({ run }) => run?.text.includes('GITHUB_ENV'))
      setters = all.slice(0, settersMax)
      this.#setters.set(job, setters)
    }
    return setters
  }

  #output(id: string, name: string, { job }: Place): Taint | undefined {
    const step = stepWithId(this.#steps(job), id)
    if (step === undefined) return undefined
    if (step.run !== undefined) return this.#written(step, name, 'GITHUB_OUTPUT', job)
    if (step.uses?.kind !== 'repository') return undefined
    if (isForeignOutput(step.uses.name, name)) return { kind: 'fetched', origin: `steps.${id}.outputs.${name}` }
    const given = this.#value(passedThrough(step.uses.name, step.node), { job, step })
    return given === undefined ? undefined : { ...given, kind: relayed(given) }
  }

  #ofJob(id: string, name: string): Taint | undefined {
    if (!('jobs' in this.#document)) return undefined
    const job = jobWithId(this.#document, id)
    const outputs = job?.node.map('outputs')
    return this.#value(outputs, { job }, name)
  }

  // What a script writes for later steps, where it was given text of others.
  #written(step: Step, name: string, file: 'GITHUB_ENV' | 'GITHUB_OUTPUT', job: Job | undefined): Taint | undefined {
    if (step.run === undefined) return undefined
    if (!this.#givenTo.has(step)) {
      this.#givenTo.set(step, undefined)
      const place = { job, step }
      this.#givenTo.set(step, worst([this.#value(step.run, place), this.#value(step.node.map('env'), place)]))
    }
    const given = this.#givenTo.get(step)
    if (given === undefined || !mayCarry(step.run.text, name, file)) return undefined
    return { ...given, kind: relayed(given) }
  }

  /** Of all texts in a value; `name`: of those under this key alone, wherever in the matrix or map it is. */
  #value(value: Value | undefined, place: Place, name?: string): Taint | undefined {
    if (value === undefined) return undefined
    if (value.kind === 'map') {
      if (name === undefined || name === '?' || name === '*')
        return worst(value.entries.map((entry) => this.#value(entry.value, place)))
      return worst([
        this.#value(entryNamed(value, name)?.value, place),
        name === 'include' ? undefined : this.#value(entryNamed(value, 'include')?.value, place, name),
      ])
    }
    if (value.kind === 'list') return worst(value.items.map((item) => this.#value(item, place, name)))
    if (!value.text.includes('${{')) return undefined
    return worst(
      expressionsIn(value.text).map(({ expression }) =>
        expression === undefined ? undefined : this.of(expression, place),
      ),
    )
  }

  #steps(job: Job | undefined): readonly Step[] {
    if (job !== undefined) return job.steps
    return 'jobs' in this.#document ? [] : this.#document.steps
  }
}

function relayed({ kind }: Taint): Taint['kind'] {
  return kind === 'members' ? 'members' : 'relayed'
}

function worst(taints: readonly (Taint | undefined)[]): Taint | undefined {
  let found: Taint | undefined
  for (const taint of taints) {
    if (taint === undefined) continue
    if (found === undefined || ranks.indexOf(taint.kind) < ranks.indexOf(found.kind)) found = taint
  }
  return found
}
