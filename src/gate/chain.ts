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
import { requireSignature } from './steps/require-signature.ts'

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
  [requireSignature, R, W],
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
  const progress: Progress = {
    caller: undefined,
    key: undefined,
    guard: undefined,
    serviceToken: undefined,
    actor: undefined,
    lacking: undefined,
    ownOnly: false,
    limit: undefined,
    charges: undefined,
  }
  for (const step of stepsOf[call.method.access]) {
    const refusal = step(call, progress, ports)
    if (refusal !== undefined) return denied(refusal, progress)
  }
  const { caller, key, actor, ownOnly, limit, charges } = progress
  return { refused: false, caller, actor, ownOnly, limit, rate: key?.rate, charges }
}

function denied(refusal: Refusal, { caller, actor, limit, charges }: Progress): Decision {
  return { refused: true, refusal: limit === undefined ? refusal : { ...refusal, limit }, caller, actor, charges }
}

/** The call with the bypass network that its source lies in. A call that was not located comes from none. */
export function locate<Located extends Pick<Call, 'remote' | 'bypass'>>(call: Located, ports: GatePorts): Located {
  const bypass = ports.bypass?.match(call.remote, ports.clock.now())
  return bypass === undefined ? call : { ...call, bypass }
}
