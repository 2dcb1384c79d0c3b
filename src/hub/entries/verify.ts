import { create } from '@bufbuild/protobuf'
import {
  ExportResponseSchema,
  GetLogsResponseSchema,
  LedgerLogSchema,
  LedgerService,
  VerifyResponseSchema,
} from '@portcullis/contract'
import { isPlatform, isRefusal, refuse, type Caller, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import type { EntryRow, LogHead, ReadScope } from '../ports.ts'

const noLog = 'the log is not there for this caller'
const exportEntriesMax = 1000
// Replies are JSON too, where each quote takes two bytes: far below what a listener sends and a client reads.
const exportBytesMax = 1024 * 1024
const fetchEntries = 100
const seqMax = 10n ** 15n

const verify = read(
  LedgerService.method.verify,
  async (message, { caller, reader }) => {
    const named = logOf(message.log, caller)
    if (isRefusal(named)) return named
    const verdict = await reader.verify(named.scope, named.log)
    if (verdict === undefined) return refuse('object.not_found', noLog)
    if (verdict === 'too_long') {
      return refuse('bounds.deadline', 'a replay of the log took too long', {
        detail: 'the log is too long to be replayed in one call; export it and verify it offline',
      })
    }
    return create(VerifyResponseSchema, {
      chainValid: verdict.chainValid,
      log: named.log,
      from: BigInt(verdict.from),
      to: BigInt(verdict.to),
      root: verdict.root,
      problem: verdict.problem,
      firstBadSeq: BigInt(verdict.firstBadSeq ?? 0),
      checkpointSize: BigInt(verdict.checkpointSize),
      anchoredSize: BigInt(verdict.anchoredSize),
    })
  },
  ({ log }) => ({ log }),
)

const exportEntries = read(
  LedgerService.method.export,
  async (message, { caller, reader }) => {
    const named = logOf(message.log, caller)
    if (isRefusal(named)) return named
    const fields = new Fields()
    const from = Number(fields.count('fromSeq', message.fromSeq, seqMax))
    const limit = fields.integer('limit', message.limit, 0, exportEntriesMax) || exportEntriesMax
    if (fields.refusal !== undefined) return fields.refusal
    if ((await reader.head(named.scope, named.log)) === undefined) return refuse('object.not_found', noLog)
    const lines: string[] = []
    let bytes = 0
    for (let next = from; ;) {
      const asked = Math.min(fetchEntries, limit - lines.length)
      const rows: readonly EntryRow[] = await reader.entriesFrom(named.scope, named.log, next, asked)
      for (const row of rows) {
        const line = Buffer.from(row.entry).toString('utf8')
        // One entry at the least: else a large one would be asked for again and again.
        if (lines.length > 0 && bytes + row.entry.length > exportBytesMax) return exported(lines, next)
        lines.push(line)
        bytes += row.entry.length + 1
        next = Number(row.seq) + 1
      }
      if (rows.length < asked) return exported(lines, -1)
      if (lines.length >= limit) return exported(lines, next)
    }
  },
  ({ log, fromSeq, limit }) => ({ fromSeq: fromSeq.toString(), limit, log }),
)

const getLogs = read(
  LedgerService.method.getLogs,
  async (_, { caller, reader }) => {
    const scope = readScope(caller, isPlatform(caller))
    const names = await reader.logs(scope)
    const heads = await Promise.all(names.map((log) => reader.head(scope, log)))
    const logs = heads.flatMap((head, at) => (head === undefined ? [] : [logMessage(names[at] ?? '', head)]))
    return create(GetLogsResponseSchema, { logs })
  },
  () => ({}),
)

function logMessage(log: string, { begin, lastHash, root, size }: LogHead) {
  return create(LedgerLogSchema, {
    log,
    firstSeq: BigInt(begin?.seq ?? 0),
    size: BigInt(size),
    root,
    lastHash,
    startHash: begin?.prev ?? '',
    startFrontier: begin === undefined ? '' : Buffer.from(begin.frontier).toString('hex'),
    pruneSeq: BigInt(begin?.pruneSeq ?? -1),
  })
}

/** The log that a call names, and what of the store it may see. */
export function logOf(name: string, caller: Caller): { readonly log: string; readonly scope: ReadScope } | Refusal {
  const fields = new Fields()
  const log = name === '' ? caller.tenant.name : fields.text('log', name, 128)
  if (fields.refusal !== undefined) return fields.refusal
  const system = log === 'system'
  if (system && !isPlatform(caller))
    return refuse('object.not_found', 'the system log is for operators of the platform')
  return { log, scope: readScope(caller, system) }
}

function exported(lines: readonly string[], nextSeq: number) {
  const ndjson = lines.map((line) => `${line}\n`).join('')
  return create(ExportResponseSchema, { ndjson, nextSeq: BigInt(nextSeq) })
}

export const logHandlers = [verify, exportEntries, getLogs]
