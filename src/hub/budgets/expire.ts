import { publicId } from '#core'
import type { LedgerRecord } from '#ledger'
import { effect, type Effect } from '../ports.ts'
import { budgetRecord } from './records.ts'

/**
 * Ends a held reservation: books what was seen of it and frees the rest (SPEC B4, K3). `killed`: whether or not it is past its time. One that
 * is not held any more stays as it is.
 */
export function expireEffect(of: {
  /** Bare UUID. */
  readonly reservationId: string
  /** The name of the tenant. */
  readonly log: string
  /** `ten_...` */
  readonly tenant: string
  readonly killed: boolean
}): Effect {
  return effect({
    operation: 'spend',
    key: of.reservationId,
    args: { ...of, kind: 'expire', ownerAgentId: null },
    answer: () => ({}),
  })
}

/** The entry of an expiry that failed. */
export function expiryRecord(log: string, tenant: string, reservationId: string, nowMs: number): LedgerRecord {
  const args = { reservationId: publicId('rsv', reservationId) }
  return budgetRecord('budget.reservation_expired', { log, tenant }, nowMs, args, 'error')
}
