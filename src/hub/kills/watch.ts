import { create } from '@bufbuild/protobuf'
import { KillService, WatchResponseSchema, type WatchResponse } from '@portcullis/contract'
import { isPlatform } from '#core'
import { stream } from '../handler.ts'
import { concerns } from './match.ts'
import { watchedKill } from './messages.ts'
import type { KillChange } from './ports.ts'

const watch = stream(KillService.method.watch, (_, { caller, ownOnly, kills }) => {
  const platform = isPlatform(caller)
  const tell = (changes: readonly KillChange[]): readonly WatchResponse[] =>
    changes
      .filter(({ kill }) => concerns(kill, caller, ownOnly, platform))
      .map(({ kill, engaged }) => create(WatchResponseSchema, { kill: watchedKill(kill, ownOnly, platform), engaged }))
  return {
    first: () => tell(kills.inForce().map((kill) => ({ kill, engaged: true }))),
    listen: (hear) => kills.listen((changes) => hear(tell(changes))),
    heartbeat: () => create(WatchResponseSchema, { heartbeat: true }),
  }
})

export const watchHandlers = [watch]
