import type { KillInForce } from './match.ts'

/** What replicas said of the last change of the kill switch. */
export interface Confirmed {
  /** That live, or did 30 seconds ago. */
  readonly replicas: number
  readonly acknowledged: number
  /** Milliseconds that were waited. */
  readonly tookMs: number
}

export interface KillChange {
  readonly kill: KillInForce
  /** False once it was released, or has expired. */
  readonly engaged: boolean
}

/** The kills that this process knows, and what the others know (SPEC K2). */
export interface KillsPort {
  inForce(): readonly KillInForce[]
  /** Told of every change until the answer is called. */
  listen(tell: (changes: readonly KillChange[]) => void): () => void
  /** Resolves when no replica admits any more what is engaged at that epoch: all have said so, or what they know is too old. */
  confirmed(epoch?: string): Promise<Confirmed>
}

/** Where nothing was composed. */
export const noKills: KillsPort = {
  inForce: () => [],
  listen: () => () => undefined,
  confirmed: () => Promise.resolve({ replicas: 0, acknowledged: 0, tookMs: 0 }),
}
