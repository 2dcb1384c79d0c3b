interface Series {
  readonly labels: Readonly<Record<string, string>>
  count: number
}

type Node = Map<string, Node | Series>

/** Counts by labels, as a tree with one level for each label. An increment makes no objects once its series is there. */
export class Tally {
  readonly #names: readonly string[]
  readonly #root: Node = new Map()
  readonly #all: Series[] = []

  constructor(names: readonly string[]) {
    this.#names = names
  }

  add(...values: readonly string[]): void {
    this.addMany(1, ...values)
  }

  addMany(count: number, ...values: readonly string[]): void {
    let node: Node = this.#root
    const last = values.length - 1
    for (let at = 0; at < last; at += 1) {
      const value = values[at] ?? ''
      let next = node.get(value)
      if (!(next instanceof Map)) {
        next = new Map()
        node.set(value, next)
      }
      node = next
    }
    const value = values[last] ?? ''
    const series = node.get(value)
    if (series === undefined || series instanceof Map) node.set(value, this.#series(count, values))
    else series.count += count
  }

  series(): readonly Readonly<Series>[] {
    return this.#all
  }

  #series(count: number, values: readonly string[]): Series {
    const labels = Object.fromEntries(this.#names.map((name, at) => [name, values[at] ?? '']))
    const made: Series = { labels, count }
    this.#all.push(made)
    return made
  }
}
