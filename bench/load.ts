import type { ClientHttp2Session } from 'node:http2'
import { open, unary, type PreparedCall } from '#demo'

export type { PreparedCall } from '#demo'

export interface LoadResult {
  readonly calls: number
  readonly failed: number
  readonly seconds: number
  readonly perSecond: number
  /** Latencies in milliseconds. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/**
 * Keeps `inFlight` unary gRPC calls under way for that long and counts those that answered OK. A client of few parts, straight
 * on HTTP/2, so that on a small machine the servers are measured and not their client.
 */
export async function load(
  address: string,
  inFlight: number,
  seconds: number,
  next: () => PreparedCall,
): Promise<LoadResult> {
  const sessions = await Promise.all(Array.from({ length: Math.min(4, inFlight) }, () => open(address)))
  const latencies: number[] = []
  let failed = 0
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  const caller = async (session: ClientHttp2Session): Promise<void> => {
    while (performance.now() < until) {
      const sentAt = performance.now()
      if ((await unary(session, next())).status === '0') latencies.push(performance.now() - sentAt)
      else failed += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, index) => caller(pick(sessions, index))))
  const tookSeconds = (performance.now() - startedAt) / 1000
  for (const session of sessions) session.close()
  latencies.sort((a, b) => a - b)
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN
  return {
    calls: latencies.length,
    failed,
    seconds: tookSeconds,
    perSecond: latencies.length / tookSeconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  }
}

function pick<Item>(items: readonly Item[], index: number): Item {
  const item = items[index % items.length]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
