import type { Logger } from 'pino'
import { publicId, uuidv7, type Clock } from '#core'
import type { WriterPort } from '#hub'
import { encodeBody, type LedgerRecord } from '#ledger'
import { EntriesInHand, type ConnectionSettings, type DeadHand } from '#store'
import { BestEffort } from './best-effort.ts'
import { Hand } from './hand.ts'

const lookForDeadEveryMs = 5000

export interface ComposedBestEffort {
  readonly bestEffort: BestEffort
  /** Looks for replicas that ended without a stop, from now on. */
  start(): void
  /** Writes what waits and says that nothing is in hand. */
  close(): Promise<void>
}

/** The entries of best effort of this process, with the account of them that the database keeps (SPEC L7). */
export function composeBestEffort(
  writer: WriterPort,
  connection: ConnectionSettings,
  clock: Clock,
  log: Logger,
): ComposedBestEffort {
  const replica = uuidv7(clock.now())
  const inHand = new EntriesInHand(connection, replica)
  const hand = new Hand({
    hold: (atMost) => inHand.hold(atMost),
    monotonic: () => clock.monotonic(),
    failed: (error) =>
      log.warn(
        { event: 'ledger.hand_unknown', err: error },
        'what is in hand cannot be written down: until it can, calls of best effort wait for their entries',
      ),
  })
  const bestEffort = new BestEffort(
    writer,
    clock,
    (lost) => log.error({ event: 'ledger.entries_lost', lost }, 'entries are lost: the store does not take them'),
    hand,
  )
  let looking: Promise<void> | undefined
  const look = (): void => {
    looking ??= inHand
      .tellDead((dead) => gapRecord(dead, clock.now()))
      .then((gaps) => {
        if (gaps > 0)
          log.error(
            { event: 'ledger.gap', gaps },
            'a process ended without a stop: the log system says what may be lost',
          )
      })
      .catch((error: unknown) =>
        log.warn({ event: 'ledger.gap_unknown', err: error }, 'processes that ended are looked for again'),
      )
      .finally(() => {
        looking = undefined
      })
  }
  let timer: NodeJS.Timeout | undefined
  return {
    bestEffort,
    start: () => {
      hand.start()
      look()
      timer = setInterval(look, lookForDeadEveryMs)
      timer.unref()
    },
    close: async () => {
      clearInterval(timer)
      await bestEffort.close()
      await looking
      await hand.close()
      await inHand.close()
    },
  }
}

/** One entry for what a process may have taken with it. */
export function gapRecord({ replica, atMost, sinceMs, seenAtMs }: DeadHand, nowMs: number): LedgerRecord {
  const [since, seen] = [new Date(sinceMs).toISOString(), new Date(seenAtMs).toISOString()]
  const body = encodeBody({
    access: 'system',
    args: { atMost, noticed: new Date(nowMs).toISOString(), replica, seen, since },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind: 'ledger.gap',
    method: '(any)',
    outcome: 'error',
    reason: `a process ended without a stop, after ${seen}: at most ${atMost} entries of calls that were answered first are lost, and the counts of windows that were open`,
  })
  const nobody = { tenantId: undefined, caller: undefined, actor: undefined, code: undefined, requestId: undefined }
  return { ...nobody, log: 'system', action: 'ledger.gap', outcome: 'error', body }
}
