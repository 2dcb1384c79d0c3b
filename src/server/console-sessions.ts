import { publicId, refuse, uuidv7, type Clock } from '#core'
import { effect, type RecordedOutcome, type WriterPort } from '#hub'
import { encodeBody, type LedgerRecord } from '#ledger'
import { addressGroup, type GatePorts } from '#gate'
import type { Sessions } from '#store'
import { peerAddress } from './credentials.ts'
import type { Floods } from './floods.ts'

interface SignIn {
  readonly code: string
  readonly session: string
  readonly remote: string
  readonly requestId: string
}

interface SignInParts {
  readonly writer: WriterPort
  readonly clock: Clock
  readonly floods: Floods
  /** Failed credentials per address: a code is one. */
  readonly failures: GatePorts['failures']
  readonly sessions: Sessions
}

/**
 * Spends a one-time sign-in code; the session and its entry in the log `system` commit together. A code that is not good is
 * charged to the address and counted with its like, and costs no transaction: anybody can send one.
 */
export async function openSession(parts: SignInParts, signIn: SignIn): Promise<boolean> {
  const { clock, failures, floods, sessions, writer } = parts
  const group = addressGroup(peerAddress(signIn.remote))
  if (failures.wait(group, clock.monotonic()) > 0) return false
  const record = (outcome: RecordedOutcome, operator?: string): LedgerRecord =>
    recordOf(signIn, clock.now(), outcome, operator)
  if (!(await sessions.codeUsable(signIn.code))) {
    failures.take(group, clock.monotonic())
    const refusal = refuse('auth.credential_invalid', 'sign-in code unknown, used or expired')
    await floods.anonymous(signIn.remote, refusal.code, () =>
      record({ outcome: 'deny', code: refusal.code, reason: refusal.reason }),
    )
    return false
  }
  let operator: string | undefined
  const work = effect({
    operation: 'session.open',
    key: signIn.code,
    args: { codeDigest: signIn.code, sessionDigest: signIn.session },
    answer: (row) => {
      if (row === undefined) return refuse('auth.credential_invalid', 'sign-in code was spent meanwhile')
      operator = publicId('opr', row.operatorId)
      return {}
    },
  })
  const result = await writer.submit({
    tenantId: undefined,
    effect: work,
    record: (outcome) => record(outcome, operator),
  })
  return !result.refused
}

function recordOf(signIn: SignIn, nowMs: number, outcome: RecordedOutcome, operator: string | undefined): LedgerRecord {
  const code = outcome.outcome === 'allow' ? undefined : outcome.code
  const body = encodeBody({
    access: 'system',
    at: new Date(nowMs).toISOString(),
    bypass: false,
    caller: operator === undefined ? undefined : { id: operator, kind: 'operator' },
    code,
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind: 'console.signed_in',
    method: '/sign-in',
    outcome: outcome.outcome,
    reason: outcome.outcome === 'allow' ? undefined : outcome.reason,
    remote: peerAddress(signIn.remote),
    requestId: signIn.requestId,
  })
  return {
    log: 'system',
    tenantId: undefined,
    caller: operator,
    actor: undefined,
    action: 'console.signed_in',
    outcome: outcome.outcome,
    code,
    requestId: signIn.requestId,
    body,
  }
}
