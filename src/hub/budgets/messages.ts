import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BudgetDenialSchema,
  BudgetSchema,
  BudgetSubjectSchema,
  BudgetUseSchema,
  BudgetWindowSchema,
  HeadroomSchema,
  ReservationSchema,
  type Budget,
  type BudgetAction,
  type BudgetDenial,
  type BudgetSubject,
  type BudgetUnit,
  type BudgetUse,
  type Headroom,
  type Reservation,
  type ReservationState,
  type SubjectKind,
  type WindowKind,
} from '@portcullis/contract'
import { publicId } from '#core'
import { maskText } from '#ledger'
import type { Summary } from '../ports.ts'
import { publicSubject, subjectName, unitName } from './names.ts'
import type { BudgetRow, BudgetUseRow, DenialRow, HeadroomRow, ReservationRow } from './spend-rows.ts'

export function budgetMessage(row: BudgetRow): Budget {
  return create(BudgetSchema, {
    id: publicId('bud', row.id),
    name: maskText(row.name),
    subject: subjectMessage(row.subjectKind, row.subjectId),
    unit: row.unit as BudgetUnit,
    limit: BigInt(row.limit),
    window: create(BudgetWindowSchema, {
      kind: row.windowKind as WindowKind,
      duration: row.duration,
      timeZone: row.timeZone,
    }),
    hard: row.hard,
    action: row.action as BudgetAction,
    active: row.active,
    createdAt: timestampFromMs(row.createdAtMs),
    updatedAt: timestampFromMs(row.updatedAtMs),
  })
}

/** A budget as the ledger shows it before and after a change (SPEC B8). */
export function shownBudget(row: { readonly [Name in keyof BudgetRow]: BudgetRow[Name] | null }): Summary {
  const window = [row.duration, row.timeZone === 'UTC' ? '' : row.timeZone].filter(Boolean).join(' ')
  return {
    action: row.action === 2 ? 'dry_run' : 'deny',
    active: row.active ?? undefined,
    hard: row.hard ?? undefined,
    limit: row.limit?.toString(),
    name: maskText(row.name ?? ''),
    subject: maskText(subjectName(row.subjectKind ?? 0, row.subjectId ?? '')),
    unit: unitName(row.unit ?? 0),
    window: window === '' ? 'total' : window,
  }
}

export function subjectMessage(kind: number, id: string): BudgetSubject {
  return create(BudgetSubjectSchema, { kind: kind as SubjectKind, id: maskText(publicSubject(kind, id)) })
}

export function headroomMessage(row: HeadroomRow): Headroom {
  const left = row.limit - row.used - row.held
  return create(HeadroomSchema, {
    budgetId: publicId('bud', row.budgetId),
    subject: subjectMessage(row.subjectKind, row.subjectId),
    unit: row.unit as BudgetUnit,
    limit: row.limit,
    used: row.used,
    held: row.held,
    remaining: left > 0n ? left : 0n,
    ...(row.resetsAtMs === null ? {} : { resetsAt: timestampFromMs(row.resetsAtMs) }),
  })
}

export function denialMessage(row: DenialRow): BudgetDenial {
  return create(BudgetDenialSchema, {
    budgetId: publicId('bud', row.budgetId),
    subject: subjectMessage(row.subjectKind, row.subjectId),
    unit: row.unit as BudgetUnit,
    limit: row.limit,
    used: row.used,
    held: row.held,
    asked: row.asked,
    ...(row.resetsAtMs === null ? {} : { resetsAt: timestampFromMs(row.resetsAtMs) }),
  })
}

export function budgetUseMessage(row: BudgetUseRow): BudgetUse {
  const limit = BigInt(row.limit)
  return create(BudgetUseSchema, {
    budget: budgetMessage(row),
    windows: row.windows.map(({ subject, settled, held, resetsAtMs }) =>
      headroomMessage({
        budgetId: row.id,
        subjectKind: row.subjectKind,
        subjectId: subject,
        unit: row.unit,
        limit,
        used: BigInt(settled),
        held: BigInt(held),
        resetsAtMs,
      }),
    ),
  })
}

export function reservationMessage(row: ReservationRow): Reservation {
  return create(ReservationSchema, {
    id: publicId('rsv', row.id),
    runId: row.runId === null ? '' : publicId('run', row.runId),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    provider: maskText(row.provider),
    model: maskText(row.model),
    tool: maskText(row.tool),
    state: row.state as ReservationState,
    heldNanoUsd: BigInt(row.heldNanoUsd),
    heldTokens: BigInt(row.heldTokens),
    settledNanoUsd: BigInt(row.settledNanoUsd),
    settledTokens: BigInt(row.settledTokens),
    priceVersion: row.priceVersion,
    createdAt: timestampFromMs(row.createdAtMs),
    expiresAt: timestampFromMs(row.expiresAtMs),
    ...(row.endedAtMs === null ? {} : { endedAt: timestampFromMs(row.endedAtMs) }),
    late: row.late,
    killed: row.killed,
  })
}
