import { create } from '@bufbuild/protobuf'
import {
  BudgetService,
  DeleteBudgetResponseSchema,
  ListBudgetsResponseSchema,
  ListReservationsResponseSchema,
  ReservationState,
  SubjectKind,
  UpsertBudgetResponseSchema,
} from '@portcullis/contract'
import { isRefusal, parseId, publicId, refuse, uuidv7 } from '#core'
import { modelName } from '../costs/model-names.ts'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import { sizes } from '../runs/rules.ts'
import { budgetFields, budgetsAtMost, subjectKindsAsked } from './budget-fields.ts'
import { budgetMessage, budgetUseMessage, reservationMessage, shownBudget } from './messages.ts'
import { simulate } from './simulate.ts'
import type { BudgetPut } from './spend-rows.ts'

const noBudget = refuse('object.not_found', 'no such budget in this tenant')

const upsertBudget = write(
  BudgetService.method.upsertBudget,
  (message, { clock }) => {
    const { budget } = message
    if (budget === undefined) return refuse('input.invalid', 'budget: is required', { detail: 'budget is required' })
    const fields = new Fields()
    const nowMs = clock.now()
    const made = budget.id === ''
    const id = made ? uuidv7(nowMs) : fields.id('budget.id', budget.id, 'bud')
    const given = budgetFields(fields, budget)
    if (fields.refusal !== undefined) return fields.refusal
    const args: BudgetPut = { id, ...given, createdAtMs: nowMs, updatedAtMs: nowMs, made, atMost: budgetsAtMost }
    return effect({
      operation: 'budget.put',
      key: id,
      args,
      changesCredentials: true,
      answer: (row) => {
        switch (row?.verdict) {
          case 'done': {
            const after = { ...args, createdAtMs: row.createdAtMs ?? nowMs }
            return {
              reply: create(UpsertBudgetResponseSchema, { budget: budgetMessage(after) }),
              told: {
                budgetId: publicId('bud', id),
                ...(made ? {} : { before: shownBudget(row) }),
                after: shownBudget(args),
              },
            }
          }
          case 'object.state':
            return refuse('object.state', 'what the budget counts was changed', {
              detail: 'subject, unit and window stay as they were made: delete the budget and make another',
            })
          case 'too_many':
            return refuse('object.state', 'too many budgets', {
              detail: `a tenant has at most ${budgetsAtMost} budgets: delete one first`,
            })
          case 'time_zone':
            return refuse('input.invalid', 'a time zone that PostgreSQL does not know', {
              detail: 'budget.window.timeZone is not known to the database: use a name such as Europe/Berlin',
            })
          case 'object.not_found':
          case undefined:
          default:
            return noBudget
        }
      },
    })
  },
  ({ budget }) => ({ budgetId: budget?.id, name: budget?.name }),
)

const deleteBudget = write(
  BudgetService.method.deleteBudget,
  (message, { clock }) => {
    const fields = new Fields()
    const id = fields.id('budgetId', message.budgetId, 'bud')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'budget.delete',
      key: id,
      args: { id, atMs: clock.now() },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? noBudget
          : { reply: create(DeleteBudgetResponseSchema), told: { before: shownBudget(row) } },
    })
  },
  ({ budgetId }) => ({ budgetId }),
)

const listBudgets = read(
  BudgetService.method.listBudgets,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const { activeOnly, subjectId, subjectKind } = message
    fields.text('subjectId', subjectId, sizes.name)
    fields.choice('subjectKind', subjectKind, [0, ...subjectKindsAsked], 'TENANT, TEAM, AGENT, KEY, RUN, MODEL, TOOL')
    if (subjectId !== '' && subjectKind === SubjectKind.UNSPECIFIED)
      fields.wrong('subjectKind', 'is required with subjectId')
    if (fields.refusal !== undefined) return fields.refusal
    const filter = {
      ...(subjectKind === SubjectKind.UNSPECIFIED ? {} : { subjectKind }),
      ...(subjectId === '' ? {} : { subjectId: bareSubject(subjectKind, subjectId) }),
      ...(activeOnly ? { active: 'true' } : {}),
    }
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage(
      'budgets',
      key,
      message,
      (page) => reader.budgets(scope, filter, page),
      budgetUseMessage,
    )
    if (isRefusal(list)) return list
    return create(ListBudgetsResponseSchema, { budgets: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ activeOnly, pageSize, subjectId, subjectKind }) => ({ activeOnly, pageSize, subjectId, subjectKind }),
)

function bareSubject(kind: SubjectKind, id: string): string {
  if (kind === SubjectKind.MODEL) return modelName(id)
  return parseId('agt', id) ?? parseId('key', id) ?? parseId('run', id) ?? id
}

const listReservations = read(
  BudgetService.method.listReservations,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const states = [ReservationState.UNSPECIFIED, 1, 2, 3, 4] as const
    const state = fields.choice('state', message.state, states, 'HELD, SETTLED, RELEASED, EXPIRED')
    const filter = {
      ...(state === ReservationState.UNSPECIFIED ? {} : { state }),
      ...(message.runId === '' ? {} : { runId: fields.id('runId', message.runId, 'run') }),
      ...(message.agentId === '' ? {} : { agentId: fields.id('agentId', message.agentId, 'agt') }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage(
      'reservations',
      key,
      message,
      (page) => reader.reservations(scope, filter, page),
      reservationMessage,
    )
    if (isRefusal(list)) return list
    return create(ListReservationsResponseSchema, { reservations: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ agentId, pageSize, runId, state }) => ({ agentId, pageSize, runId, state }),
)

export const budgetHandlers = [upsertBudget, deleteBudget, listBudgets, listReservations, simulate]
