import type { AccessClassName } from '@portcullis/contract'
import type { Refusal } from '#core'
import type { Call, Decision, Progress } from './call.ts'
import type { GatePorts } from './ports.ts'
import { authenticate } from './steps/authenticate.ts'
import { checkKill } from './steps/check-kill.ts'
import { limitAddress } from './steps/limit-address.ts'
import { limitFailures } from './steps/limit-failures.ts'
import { limitKey } from './steps/limit-key.ts'
import { matchTenant } from './steps/match-tenant.ts'
import { requirePolicy } from './steps/require-policy.ts'
import { requireScope } from './steps/require-scope.ts'

/** One stage of the gate. A refusal leaves the table; undefined goes on. What was learned is written to `progress`. */
export type Step = (call: Call, progress: Progress, ports: GatePorts) => Refusal | undefined

const P = 'public_read'
const R = 'private_read'
const W = 'write'

/**
 * The whole policy of the gate, in the order it runs (SPEC G2): bounds and the method are settled before a call gets here,
 * validation follows when the body has been read.
 */
// prettier-ignore
const table: readonly (readonly [Step, ...AccessClassName[]])[] = [
  [limitAddress,  P      ],
  [limitFailures,    R, W],
  [authenticate,     R, W],
  [limitKey,         R, W],
  [checkKill,        R, W],
  [requireScope,     R, W],
  [matchTenant,      R, W],
  [requirePolicy,    R, W],
]

const stepsOf: Readonly<Record<AccessClassName, readonly Step[]>> = {
  public_read: table.filter((row) => row.includes(P)).map(([step]) => step),
  private_read: table.filter((row) => row.includes(R)).map(([step]) => step),
  write: table.filter((row) => row.includes(W)).map(([step]) => step),
}

/**
 * Decides one call. Pure but for the buckets: state comes through the ports, and nothing here waits. Where the buckets are
 * shared, the decision names its charges and MUST be settled with them before it counts.
 */
export function decide(call: Call, ports: GatePorts): Decision {
  const progress: Progress = { caller: undefined, key: undefined, ownOnly: false, limit: undefined, charges: undefined }
  for (const step of stepsOf[call.method.access]) {
    const refusal = step(call, progress, ports)
    if (refusal !== undefined) return denied(refusal, progress)
  }
  const { caller, key, ownOnly, limit, charges } = progress
  return { refused: false, caller, ownOnly, limit, rate: key?.rate, charges }
}

function denied(refusal: Refusal, { caller, limit, charges }: Progress): Decision {
  return { refused: true, refusal: limit === undefined ? refusal : { ...refusal, limit }, caller, charges }
}
