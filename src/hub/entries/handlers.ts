import { create } from '@bufbuild/protobuf'
import { TimestampSchema, type Timestamp } from '@bufbuild/protobuf/wkt'
import { LedgerEntrySchema, LedgerService, QueryResponseSchema, type LedgerEntry } from '@portcullis/contract'
import { isPlatform, isRefusal, refuse } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import { listPage } from '../paging.ts'
import type { EntryFilter, EntryRow } from '../ports.ts'

const query = read(
  LedgerService.method.query,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const log = message.log === '' ? caller.tenant.name : fields.text('log', message.log, 128)
    const system = log === 'system'
    if (system && !isPlatform(caller))
      return refuse('object.not_found', 'the system log is for operators of the platform')
    const text = (name: 'caller' | 'action' | 'outcome' | 'code' | 'requestId'): Record<string, string> =>
      message[name] === '' ? {} : { [name]: fields.text(name, message[name], 200) }
    const filter: EntryFilter = {
      log,
      ...text('caller'),
      ...text('action'),
      ...text('outcome'),
      ...text('code'),
      ...text('requestId'),
      ...(message.after === undefined ? {} : { afterMs: fields.moment('after', message.after) }),
      ...(message.before === undefined ? {} : { beforeMs: fields.moment('before', message.before) }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, system)
    const list = await listPage(
      'entries',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.entries(scope, filter, page),
      ({ seq }) => seq,
    )
    if (isRefusal(list)) return list
    return create(QueryResponseSchema, { entries: list.rows.map(entryMessage), nextPageToken: list.nextPageToken })
  },
  ({ pageSize, log, caller, action, outcome, code, requestId }) => ({
    action,
    caller,
    code,
    log,
    outcome,
    pageSize,
    requestId,
  }),
)

function entryMessage(row: EntryRow): LedgerEntry {
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
