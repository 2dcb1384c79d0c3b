/** One performance bar of the SPEC: our path beside its naive twin, alternating in one run. */
export interface Bar {
  readonly id: string
  readonly claim: string
  run(options: BarOptions): Promise<BarResult>
}

export interface BarOptions {
  readonly rounds: number
  readonly seconds: number
  /** How many rows lie there already, where a bar has a part that asks for them; 0 leaves it out. */
  readonly rows: number
  /** Progress, on stderr. */
  readonly say: (line: string) => void
}

export interface BarResult {
  readonly ours: number
  readonly twin: number
  readonly ratio: number
  readonly unit: string
  readonly more: Readonly<Record<string, number>>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
