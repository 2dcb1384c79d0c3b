import { create } from '@bufbuild/protobuf'
import {
  DeletePolicyCapResponseSchema,
  GetPolicyResponseSchema,
  ListPolicyCapsResponseSchema,
  PolicySchema,
  PolicyService,
  SetPolicyResponseSchema,
  UpsertPolicyCapResponseSchema,
  type Policy,
} from '@portcullis/contract'
import { isRefusal, publicId, refuse, uuidv7, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { bare, read, readScope, write } from '../handler.ts'
import { policyKill } from '../kills/effects.ts'
import { listPage } from '../paging.ts'
import { effect, type Effect } from '../ports.ts'
import { sizes } from '../runs/rules.ts'
import type { CapPut, PolicyRow, PolicySet } from './policy-rows.ts'
import { ownKill, tenantKill } from './kill-state.ts'
import { capFields, capMessage, capsAtMost, policyLimits, policyMessage, shownCap, shownPolicy } from './rules.ts'

const noCap = refuse('object.not_found', 'no such policy cap in this tenant')
const noPolicy: PolicyRow = {
  maxCostPerRunNanoUsd: '0',
  maxAttemptsPerRun: '0',
  maxTokensPerRun: '0',
  maxLatencyPerAttemptMs: '0',
  updatedAtMs: null,
}

const getPolicy = read(
  PolicyService.method.getPolicy,
  async (_message, { caller, reader }) => {
    const { policy, kill } = await reader.policy(readScope(caller, false))
    return create(GetPolicyResponseSchema, { policy: policyMessage(policy ?? noPolicy, kill) })
  },
  () => ({}),
)

const setPolicy = write(
  PolicyService.method.setPolicy,
  (message, { caller, clock, kills }) => {
    const nowMs = clock.now()
    const killed = (): Refusal | undefined => ownKill(kills, caller, clock.now())
    const fields = new Fields()
    const policy = message.policy ?? create(PolicySchema)
    if (message.policy === undefined) fields.wrong('policy', 'is required')
    const args: PolicySet = { ...policyLimits(fields, policy), updatedAtMs: nowMs }
    const { killSwitch } = policy
    const reason = fields.text('policy.killSwitchReason', policy.killSwitchReason, sizes.error)
    if (killSwitch === true && reason.trim() === '')
      fields.wrong(
        'policy.killSwitchReason',
        'is required with killSwitch: say why everything of the tenant is to stop',
      )
    const stopped = killed() ?? fields.refusal
    if (stopped !== undefined) return stopped
    if (killSwitch === undefined)
      return { ...setEffect(args, policyMessage(args, tenantKill(kills, bare(caller.tenant.id), nowMs))), killed }
    if (killSwitch && !caller.scopes.has('kill:engage'))
      return refuse('auth.scope_missing', 'kill:engage', { detail: 'policy.killSwitch needs kill:engage' })
    const turn = policyKill(killSwitch, { caller, reason: reason === '' ? 'policy' : reason, nowMs, kills })
    if (isRefusal(turn)) return turn
    const set = setEffect(args, policyMessage(args, killSwitch ? { reason } : undefined))
    return {
      parts: [set, turn],
      killed,
      changesCredentials: true,
      ...(killSwitch ? { afterCommit: (reply) => kills.confirmed().then(() => reply) } : {}),
      answerAll: ([before, turned]) => {
        const told = turn.answer(turned)
        // Both are done or neither is.
        if (isRefusal(told)) throw new Error(`the kill switch of the policy was refused: ${told.reason}`)
        const answered = set.answer(before)
        return isRefusal(answered) ? answered : { ...answered, told: { ...answered.told, ...told.told } }
      },
    }
  },
  ({ policy }) => ({ killSwitch: policy?.killSwitch, killSwitchReason: policy?.killSwitchReason }),
)

function setEffect(args: PolicySet, policy: Policy): Effect {
  return effect({
    operation: 'policy.set',
    key: '',
    args,
    changesCredentials: true,
    answer: (before) =>
      before === undefined
        ? refuse('object.not_found', 'the policy was not written')
        : {
            reply: create(SetPolicyResponseSchema, { policy }),
            told: { before: shownPolicy(before), after: shownPolicy(args) },
          },
  })
}

const listCaps = read(
  PolicyService.method.listPolicyCaps,
  async (message, { caller, reader }) => {
    const filter = message.activeOnly ? { active: 'true' } : {}
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage('policy_caps', key, message, (page) => reader.caps(scope, filter, page), capMessage)
    if (isRefusal(list)) return list
    return create(ListPolicyCapsResponseSchema, { caps: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ activeOnly, pageSize }) => ({ activeOnly, pageSize }),
)

const upsertCap = write(
  PolicyService.method.upsertPolicyCap,
  (message, { clock }) => {
    const { cap } = message
    if (cap === undefined) return refuse('input.invalid', 'cap: is required', { detail: 'cap is required' })
    const fields = new Fields()
    const nowMs = clock.now()
    const made = cap.id === ''
    const id = made ? uuidv7(nowMs) : fields.id('cap.id', cap.id, 'cap')
    const args: CapPut = { id, ...capFields(fields, cap), updatedAtMs: nowMs, made, atMost: capsAtMost }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'policy_cap.put',
      key: id,
      args,
      changesCredentials: true,
      answer: (before) => {
        if (before === undefined) return noCap
        if (before.verdict === 'object.state') return tooMany
        return {
          reply: create(UpsertPolicyCapResponseSchema, { cap: capMessage(args) }),
          told: {
            capId: publicId('cap', id),
            ...(made ? {} : { before: shownCap(before) }),
            after: shownCap(args),
          },
        }
      },
    })
  },
  ({ cap }) => ({ id: cap?.id, name: cap?.name }),
)

const tooMany = refuse('object.state', `the tenant has ${capsAtMost} caps`, {
  detail: `a tenant has ${capsAtMost} policy caps at most: change one, or delete one first`,
})

const deleteCap = write(
  PolicyService.method.deletePolicyCap,
  (message, { clock }) => {
    const fields = new Fields()
    const id = fields.id('capId', message.capId, 'cap')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'policy_cap.delete',
      key: id,
      args: { id, atMs: clock.now() },
      changesCredentials: true,
      answer: (before) =>
        before === undefined
          ? noCap
          : { reply: create(DeletePolicyCapResponseSchema), told: { before: shownCap(before) } },
    })
  },
  ({ capId }) => ({ capId }),
)

export const policyHandlers = [getPolicy, setPolicy, listCaps, upsertCap, deleteCap]
