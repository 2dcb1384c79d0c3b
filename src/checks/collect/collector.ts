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

const found = new WeakMap<object, Map<unknown, Promise<unknown>>>()

/** What a collector says of a context. It runs once for each, whoever asks: a check, or another collector. */
export function collect<S extends keyof Contexts, T>(collector: Collector<S, T>, context: Contexts[S]): Promise<T> {
  const own = found.get(context) ?? new Map<unknown, Promise<unknown>>()
  found.set(context, own)
  const known = (own.get(collector) as Promise<T> | undefined) ?? collector(context)
  own.set(collector, known)
  return known
}

/** What the collectors of a check bring, by the names that the check gives them. */
export type Facts<N extends Readonly<Record<string, Collector<never, unknown>>>> = {
  readonly [K in keyof N]: N[K] extends Collector<never, infer T> ? T : never
}

/** Collects from one context. */
export class Collection<S extends keyof Contexts> {
  readonly #context: Contexts[S]

  constructor(context: Contexts[S]) {
    this.#context = context
  }

  async gather<N extends Readonly<Record<string, Collector<S, unknown>>>>(needs: N): Promise<Facts<N>> {
    const names = Object.keys(needs)
    const values = await Promise.all(names.map((name) => collect(needs[name] as Collector<S, unknown>, this.#context)))
    return Object.fromEntries(names.map((name, index) => [name, values[index]])) as Facts<N>
  }
}
