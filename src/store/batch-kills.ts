import type { WriteResult, WriterMember } from '#hub'

/** A member that waits, with the ends of its promise. `elsewhere`: another replica holds its idempotency key. */
export interface Held {
  readonly member: WriterMember
  readonly resolve: (result: WriteResult | 'elsewhere') => void
  readonly reject: (fault: Error) => void
  /** Monotonic milliseconds. */
  readonly queuedAt: number
}

/** The kills that this process knows (SPEC K2). */
export interface KnownKills {
  /** Of the last change that is known: text of a bigint. */
  epoch(): string
  /** Reads what is in force now. */
  refresh(): Promise<void>
}

/** As it is where its caller is not killed; else only its refusal is left to be written. */
export function denyKilled(one: Held): Held {
  const refusal = one.member.effect === undefined ? undefined : one.member.killed?.()
  // That what is known may be old is no reason: the transaction looks whether it is.
  if (refusal === undefined || refusal.code === 'kill.stale') return one
  const { tenantId, record } = one.member
  const denied = { outcome: 'deny', code: refusal.code, reason: refusal.reason } as const
  return {
    ...one,
    member: { tenantId, record: () => record(denied) },
    resolve: (result) => one.resolve(result === 'elsewhere' || result.refused ? result : refusal),
  }
}
