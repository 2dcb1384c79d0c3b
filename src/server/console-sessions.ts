import { publicId, refuse, uuidv7, type Clock } from '#core'
import { effect, type RecordedOutcome, type WriterPort } from '#hub'
import { encodeBody, type LedgerRecord } from '#ledger'
import { peerAddress } from './credentials.ts'

interface SignIn {
  readonly code: string
  readonly session: string
  readonly remote: string
  readonly requestId: string
}

/** Spends a one-time sign-in code; the session and its entry in the log `system` commit together. */
export async function openSession(writer: WriterPort, clock: Clock, signIn: SignIn): Promise<boolean> {
  const nowMs = clock.now()
  let operator: string | undefined
  const record = (outcome: RecordedOutcome): LedgerRecord => {
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
  const work = effect({
    operation: 'session.open',
    key: signIn.code,
    args: { codeDigest: signIn.code, sessionDigest: signIn.session },
    answer: (row) => {
      if (row === undefined) return refuse('auth.credential_invalid', 'sign-in code unknown, used or expired')
      operator = publicId('opr', row.operatorId)
      return {}
    },
  })
  const result = await writer.submit({ tenantId: undefined, effect: work, record })
  return !result.refused
}
