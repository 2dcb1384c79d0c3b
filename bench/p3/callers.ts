export interface CallersResult {
  readonly perSecond: number
  /** Milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** So many callers, each of which waits for one append before it makes the next. */
export async function callers(count: number, seconds: number, append: () => Promise<unknown>): Promise<CallersResult> {
  const latencies: number[] = []
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  const one = async (): Promise<void> => {
    for (let sentAt = performance.now(); sentAt < until; sentAt = performance.now()) {
      await append()
      latencies.push(performance.now() - sentAt)
    }
  }
  await Promise.all(Array.from({ length: count }, one))
  const perSecond = latencies.length / ((performance.now() - startedAt) / 1000)
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
  return { perSecond, p50Ms: at(0.5), p99Ms: at(0.99) }
}
