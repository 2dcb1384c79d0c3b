import { refuse, type Refusal } from '#core'
import type { Call, Progress } from '../call.ts'
import type { GatePorts } from '../ports.ts'
import { judgeToken, modeOf, readActor } from '../service-token.ts'

type Guarded = Pick<GatePorts, 'guards'>

/** Looks at the service token before anybody is identified: alone it can stand for a caller. */
export function readServiceToken(call: Call, progress: Progress, { guards }: Guarded): void {
  const guard = guards?.of(call.method)
  if (guard === undefined || guard.mode === 'off') return
  progress.guard = guard
  progress.serviceToken = judgeToken(call.serviceTokens ?? [], guard.digests)
  if (progress.serviceToken === 'right') progress.actor = readActor(call.actorId)
}

/**
 * Counts what the caller brought as service token and, where it is enforced, lets nobody in without the right one, whatever else
 * they hold (SPEC G9). `identified` is what was found out about the credential; what is wrong with that is said first.
 */
export function guardService(
  identified: Refusal | undefined,
  { caller, guard, serviceToken }: Progress,
  { guards }: Guarded,
): Refusal | undefined {
  if (guard === undefined || serviceToken === undefined) return identified
  guards?.saw(guard, identified === undefined ? caller : undefined, serviceToken)
  if (serviceToken === 'right' || modeOf(guard) !== 'enforce') return identified
  if (identified !== undefined && identified.code !== 'auth.credential_missing') return identified
  const what = serviceToken === 'none' ? 'missing' : 'wrong'
  return refuse('auth.service_token_invalid', `service token of ${guard.service} ${what}`)
}
