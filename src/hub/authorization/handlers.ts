import { create } from '@bufbuild/protobuf'
import {
  AuthorizationService,
  CheckBatchResponseSchema,
  type CheckRequest,
  type CheckResponse,
} from '@portcullis/contract'
import { Secret } from '#core'
import { Fields } from '../fields.ts'
import { readTold, type HandlerContext } from '../handler.ts'
import { decideCheck, privateReason, validate } from './check.ts'

const checksMax = 100
const namedMax = 20

const check = readTold(
  AuthorizationService.method.check,
  async (message, context) => {
    const fields = new Fields()
    validate(fields, '', message)
    if (fields.refusal !== undefined) return fields.refusal
    const looking = ready([message], context)
    if (looking !== undefined) await looking
    return answer(message, context)
  },
  ({ caller, action, resource, tenant }) => ({ action, asked: caller, resource, tenant }),
  (reply) => {
    const why = privateReason(reply)
    return { allow: reply.allow, code: reply.code, found: reply.caller, ...(why === undefined ? {} : { why }) }
  },
)

const checkBatch = readTold(
  AuthorizationService.method.checkBatch,
  async (message, context) => {
    const fields = new Fields()
    const { checks } = message
    if (checks.length === 0 || checks.length > checksMax)
      fields.wrong('checks', `1 to ${checksMax}, not ${checks.length}`)
    else for (const [index, each] of checks.entries()) validate(fields, `checks[${index}].`, each)
    if (fields.refusal !== undefined) return fields.refusal
    await ready(checks, context)
    return create(CheckBatchResponseSchema, { decisions: checks.map((each) => answer(each, context)) })
  },
  ({ checks }) => ({ checks: checks.length }),
  // One entry for the whole batch: how many were allowed, and who was denied what, the first of them by name.
  ({ decisions }, { checks }) => {
    const denied = decisions.flatMap((decision, index) => {
      const { allow, code, caller } = decision
      const [asked, why] = [checks[index], privateReason(decision)]
      if (allow || asked === undefined) return []
      return [`${code} ${asked.action} ${caller || asked.caller || '(unknown)'}${why === undefined ? '' : `: ${why}`}`]
    })
    return { allowed: decisions.length - denied.length, denied: denied.length, denials: denied.slice(0, namedMax) }
  },
  // As much as its checks would one by one.
  ({ checks }) => checks.length,
)

function ready(checks: readonly CheckRequest[], { decider }: HandlerContext): Promise<void> | undefined {
  return decider.ready?.(checks.flatMap(({ credential }) => (credential === '' ? [] : [new Secret(credential)])))
}

function answer(message: CheckRequest, { caller, decider, services, clock }: HandlerContext): CheckResponse {
  return decideCheck(message, { service: caller, decider, services, nowMs: clock.now() })
}

export const authorizationHandlers = [check, checkBatch]
