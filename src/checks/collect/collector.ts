import type { ConfigContext } from './config/config-context.ts'
import type { LiveContext } from './wire/live-context.ts'
import type { Tree } from './tree.ts'

/** Where facts of each source come from. */
export interface Contexts {
  readonly repo: Tree
  readonly config: ConfigContext
  readonly live: LiveContext
}

/** Gathers one kind of fact, once per run, however many checks need it. It says what it could not look at; it never judges. */
export type Collector<S extends keyof Contexts, T> = (context: Contexts[S]) => Promise<T>

/** The same collector, run once for each context also where other collectors call it. */
export function once<S extends keyof Contexts, T>(collector: Collector<S, T>): Collector<S, T> {
  const known = new WeakMap<Contexts[S], Promise<T>>()
  return (context) => {
    const found = known.get(context) ?? collector(context)
    known.set(context, found)
    return found
  }
}

/** What the collectors of a check bring, by the names that the check gives them. */
export type Facts<N extends Readonly<Record<string, Collector<never, unknown>>>> = {
  readonly [K in keyof N]: N[K] extends Collector<never, infer T> ? T : never
}

/** Collects, each collector once. */
export class Collection<S extends keyof Contexts> {
  readonly #context: Contexts[S]
  readonly #found = new Map<unknown, Promise<unknown>>()

  constructor(context: Contexts[S]) {
    this.#context = context
  }

  async gather<N extends Readonly<Record<string, Collector<S, unknown>>>>(needs: N): Promise<Facts<N>> {
    const names = Object.keys(needs)
    const values = await Promise.all(names.map((name) => this.#one(needs[name] as Collector<S, unknown>)))
    return Object.fromEntries(names.map((name, index) => [name, values[index]])) as Facts<N>
  }

  #one(collector: Collector<S, unknown>): Promise<unknown> {
    let found = this.#found.get(collector)
    if (found === undefined) {
      found = collector(this.#context)
      this.#found.set(collector, found)
    }
    return found
  }
}
