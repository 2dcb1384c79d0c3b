import { refuse, type Refusal } from '#core'
import { isFault } from '#store'

/** The refusal of a read that the store could not serve (SPEC G20); throws what is a fault of ours (G19). */
export function readFailure(error: unknown): Refusal {
  if (isFault(error)) throw error
  const reason = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
  return refuse('store.unavailable', reason, { retryAfterSeconds: 1 })
}
