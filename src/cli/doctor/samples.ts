/** One line of the text format of Prometheus. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const linePattern = /^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? ([^ ]+)(?: \d+)?$/
const labelPattern = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"/g

/** What a process says of itself at one scrape. */
export class Samples {
  readonly #byName: ReadonlyMap<string, readonly Sample[]>

  constructor(samples: readonly Sample[]) {
    this.#byName = Map.groupBy(samples, ({ name }) => name)
  }

  static parse(text: string): Samples {
    return new Samples(text.split('\n').flatMap((line) => sampleOf(line) ?? []))
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  of(name: string): readonly Sample[] {
    return this.#byName.get(name) ?? []
  }

  sum(name: string, where: (labels: Sample['labels']) => boolean = () => true): number {
    return this.of(name).reduce((sum, { labels, value }) => (where(labels) ? sum + value : sum), 0)
  }

  /** What happened since an earlier scrape: counters less what they were; gauges as they are now. */
  since(earlier: Samples): Samples {
    const before = new Map([...earlier.#byName.values()].flat().map((sample) => [keyOf(sample), sample.value]))
    return new Samples(
      [...this.#byName.values()].flat().map((sample) => {
        if (!sample.name.endsWith('_total')) return sample
        const then = before.get(keyOf(sample)) ?? 0
        // A process that was started anew counts from 0.
        return { ...sample, value: sample.value >= then ? sample.value - then : sample.value }
      }),
    )
  }
}

function sampleOf(line: string): Sample | undefined {
  const match = line.startsWith('#') ? null : linePattern.exec(line)
  if (match === null) return undefined
  const [, name = '', labels = '', value = ''] = match
  const pairs = [...labels.matchAll(labelPattern)].map(([, key = '', text = '']) => [key, unescaped(text)])
  return {
    name,
    labels: Object.fromEntries(pairs) as Record<string, string>,
    value: Number(value.replace('Inf', 'Infinity')),
  }
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
}

function keyOf({ name, labels }: Sample): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))])
}
