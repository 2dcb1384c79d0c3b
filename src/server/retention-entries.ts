import { publicId, uuidv7, type Json } from '#core'
import { encodeBody, type EntryKind } from '#ledger'
import type { Archived } from './retention-archive.ts'

interface Policy {
  readonly framework: string
  readonly keepDays: number
  readonly hotDays: number
  /** Sinks that were given up. */
  readonly withoutSinks: readonly string[]
}

/** Says in the log itself what it loses: `below` is the first seq that stays (SPEC L12). */
export function pruneBody(archived: Archived, policy: Policy, by: string, nowMs: number): string {
  const { archive, below, frontier, last_hash: lastHash, log, root } = archived
  const { framework, hotDays, keepDays, withoutSinks } = policy
  const args = {
    archive,
    below,
    by,
    frontier,
    lastHash,
    log,
    policy: { framework, hotDays, keepDays, withoutSinks },
    root,
  }
  return retentionBody('ledger.prune', args, nowMs)
}

/** What the maintenance role did, as the body of an entry. */
export function retentionBody(kind: EntryKind, args: Readonly<Record<string, Json>>, nowMs: number): string {
  return encodeBody({
    access: 'system',
    args,
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: '(maintenance role)',
    outcome: 'allow',
  })
}
