import { create } from '@bufbuild/protobuf'
import { TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt'
import { LedgerEntrySchema, LedgerService, QueryResponseSchema, type LedgerEntry } from '@portcullis/contract'
import { isPlatform, isRefusal, refuse } from '#core'
import { Fields } from '../fields.ts'
import { bare, read, readScope } from '../handler.ts'
import { fit, readPage, tokenAt } from '../paging.ts'
import type { EntryFilter, EntryRow, ReaderPort, ReadScope } from '../ports.ts'

const query = read(
  LedgerService.method.query,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const log = message.log === '' ? caller.tenant.name : fields.text('log', message.log, 128)
    const system = log === 'system'
    if (system && !isPlatform(caller))
      return refuse('object.not_found', 'the system log is for operators of the platform')
    const tenant = fields.text('tenant', message.tenant, 128)
    if (!['', caller.tenant.id, caller.tenant.name].includes(tenant))
      return refuse('object.not_found', 'entries about another tenant than that of the caller')
    const text = (name: 'caller' | 'action' | 'outcome' | 'code' | 'requestId'): Record<string, string> =>
      message[name] === '' ? {} : { [name]: fields.text(name, message[name], 200) }
    const filter: EntryFilter = {
      log,
      ...text('caller'),
      ...text('action'),
      ...text('outcome'),
      ...text('code'),
      ...text('requestId'),
      // Every entry of a tenant's own log is about it.
      ...(tenant !== '' && system ? { tenantId: bare(caller.tenant.id) } : {}),
      ...(message.after === undefined ? {} : { afterMs: fields.moment('after', message.after) }),
      ...(message.before === undefined ? {} : { beforeMs: fields.moment('before', message.before) }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const list = await entriesPage(readScope(caller, system), filter, message, reader)
    if (isRefusal(list)) return list
    return create(QueryResponseSchema, { entries: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, log, caller, action, outcome, code, requestId, tenant }) => ({
    action,
    caller,
    code,
    log,
    outcome,
    pageSize,
    requestId,
    tenant,
  }),
)

// A filter that no index serves looks through that many entries for one page; the page may come out short, or empty.
const lookThrough = 50_000

async function entriesPage(
  scope: ReadScope,
  filter: EntryFilter,
  request: { readonly pageSize: number; readonly pageToken: string },
  reader: ReaderPort,
) {
  const named = { ...filter, tenant: scope.tenantId }
  const page = readPage('entries', named, request.pageSize, request.pageToken)
  if (isRefusal(page)) return page
  const { action, afterMs, beforeMs, outcome, tenantId } = filter
  const unlisted = tenantId === undefined && action === undefined
  const indexed = unlisted && afterMs === undefined && beforeMs === undefined && outcome !== 'allow'
  const end = indexed
    ? 0
    : page.before === undefined
      ? (await reader.head(scope, filter.log))?.size
      : Number(page.before)
  const from = Math.max(0, (end ?? 0) - lookThrough)
  const bounded = indexed ? filter : { ...filter, fromSeq: String(from) }
  const found = await reader.entries(scope, bounded, page)
  if (isRefusal(found)) return found
  const { items, next } = fit(found, ({ seq }) => seq, entryMessage)
  return { items, nextPageToken: tokenAt('entries', named, next ?? (from === 0 ? undefined : String(from))) }
}

export function entryMessage(row: EntryRow): LedgerEntry {
  const entryJson = Buffer.from(row.entry).toString('utf8')
  const { prev, ts } = JSON.parse(entryJson) as { readonly prev: string; readonly ts: string }
  return create(LedgerEntrySchema, {
    log: row.log,
    seq: BigInt(row.seq),
    ts: exactTime(ts),
    previousHash: prev,
    recordHash: Buffer.from(row.leaf).toString('hex'),
    entryJson,
  })
}

/** The microseconds of an entry's time, which milliseconds would lose. */
function exactTime(ts: string): Timestamp {
  const micros = Number(ts.slice(20, 26))
  return create(TimestampSchema, { seconds: BigInt(Date.parse(`${ts.slice(0, 19)}Z`) / 1000), nanos: micros * 1000 })
}

export const entryHandlers = [query]
