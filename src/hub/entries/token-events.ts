import { create } from '@bufbuild/protobuf'
import { GetTokenEventsResponseSchema, LedgerService } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { isLogName } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import type { EventCursor } from '../ports.ts'
import { entryMessage } from './handlers.ts'

export const tokenEventsMax = 200
const cursorCharactersMax = 2000
const logsMax = 20

const getTokenEvents = read(
  LedgerService.method.getTokenEvents,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const limit = fields.integer('limit', message.limit, 0, tokenEventsMax) || 100
    if (fields.refusal !== undefined) return fields.refusal
    const cursor = readCursor(message.cursor)
    if (isRefusal(cursor)) return cursor
    const found = await reader.tokenEvents(readScope(caller, false), cursor, limit)
    if (isRefusal(found)) return found
    return create(GetTokenEventsResponseSchema, {
      events: found.rows.map(entryMessage),
      nextCursor: formatCursor(found.next),
      more: found.more,
    })
  },
  ({ cursor, limit }) => ({ cursor: cursor.slice(0, 100), limit }),
)

/** `main:1042`: the next entry of each log of the tenant, which has one for each retention class that it was ever in. */
export function formatCursor(cursor: EventCursor): string {
  return Object.entries(cursor)
    .map(([log, next]) => `${log}:${next}`)
    .join(',')
}

/** Undefined where there is none yet: begin now. */
export function readCursor(text: string): EventCursor | undefined | Refusal {
  if (text === '') return undefined
  const wrong = refuse('input.invalid', 'cursor malformed', {
    detail: 'cursor must be next_cursor of an earlier answer',
  })
  const parts = text.length > cursorCharactersMax ? [] : text.split(',')
  if (parts.length === 0 || parts.length > logsMax) return wrong
  const cursor: Record<string, number> = Object.create(null)
  for (const part of parts) {
    const [, log = '', next = ''] = /^([^:]+):(\d{1,15})$/.exec(part) ?? []
    if (!isLogName(log) || log in cursor) return wrong
    cursor[log] = Number(next)
  }
  return cursor
}

export const tokenEventHandlers = [getTokenEvents]
