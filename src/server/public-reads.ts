import { create, type Message } from '@bufbuild/protobuf'
import {
  GetHealthResponseSchema,
  HubService,
  LedgerService,
  methodOf,
  type GetCheckpointRequest,
  type GetLeaderboardRequest,
  type GetTileRequest,
  type Method,
} from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { checkpointOf, leaderboard, telemetrySummary, tileOf, type ReaderPort } from '#hub'
import type { Admission } from './admissions.ts'
import type { PipelineParts, Reply } from './pipeline.ts'
import { readFailure } from './read-failure.ts'
import { recordOf } from './record.ts'
import { outcomeOf } from './telemetry/decided.ts'
import { version } from './version.ts'

/** Methods that the settings can open to everybody: as they are then (SPEC L11). */
export const publicTlog = {
  checkpoint: opened(methodOf(LedgerService.method.getCheckpoint)),
  tile: opened(methodOf(LedgerService.method.getTile)),
} as const

type PublicAnswer = (reader: ReaderPort, message: Message) => Promise<Message | Refusal>

const answers: ReadonlyMap<Method, PublicAnswer> = new Map<Method, PublicAnswer>([
  [
    methodOf(HubService.method.getHealth),
    async (reader) =>
      create(GetHealthResponseSchema, { status: (await reader.ping()) ? 'ok' : 'unavailable', version }),
  ],
  [methodOf(HubService.method.getTelemetrySummary), telemetrySummary],
  [
    methodOf(HubService.method.getLeaderboard),
    (reader, message) => leaderboard(reader, message as GetLeaderboardRequest),
  ],
  [
    publicTlog.checkpoint,
    async (reader, message) => {
      const named = await shown(reader, message as GetCheckpointRequest)
      return named.refused ? named : checkpointOf(named, reader)
    },
  ],
  [
    publicTlog.tile,
    async (reader, message) => {
      const named = await shown(reader, message as GetTileRequest)
      return named.refused ? named : tileOf(named, message as GetTileRequest, reader)
    },
  ],
])

/**
 * A read of nobody in particular: answered at once; a few entries for each address, then counts (SPEC L7, L14). What is not there is
 * refused, and counted like any refusal of a stranger.
 */
export async function readPublic(
  { call, arrivedAt }: Admission,
  message: Message,
  { bestEffort, clock, floods, reader }: Pick<PipelineParts, 'bestEffort' | 'clock' | 'floods' | 'reader'>,
): Promise<Reply | Refusal> {
  const { method, remote } = call
  const answer = answers.get(method)
  if (answer === undefined) throw new Error(`no answer for ${method.path}`)
  const found = await answer(reader, message).catch(readFailure)
  const recorded = { call, caller: undefined, args: () => ({}), arrivedAt, clock }
  if (isRefusal(found)) {
    const outcome = outcomeOf(found.code)
    const told = { outcome, code: found.code, reason: found.reason }
    if (!method.unrecorded) await floods.anonymous(remote, found.code, () => recordOf(recorded, told), outcome)
    return found
  }
  if (!method.unrecorded && floods.ownRead(remote, method.path)) {
    bestEffort.offer(recordOf(recorded, { outcome: 'allow' }))
  }
  return { refused: false, message: found, replayed: false }
}

function opened(method: Method): Method {
  return { ...method, access: 'public_read', scope: '', audit: 'best_effort', bestEffort: true }
}

async function shown(reader: ReaderPort, { log }: { readonly log: string }) {
  const scope = await reader.tlog.scopeOf(log)
  return scope === undefined
    ? refuse('object.not_found', 'there is no such log')
    : ({ refused: false, log, scope } as const)
}
