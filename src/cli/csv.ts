import type { Entry } from './replies.ts'
import { readBody } from './entry-line.ts'

/** Said in the first line of every CSV: a table is for reading, the NDJSON is what verifies. */
export const csvHead = [
  '"# A view of the ledger and no evidence: it does not verify. Export with --format ndjson for that."',
  ['seq', 'ts', 'outcome', 'code', 'method', 'caller', 'request_id', 'reason', 'previous_hash', 'record_hash']
    .map(cell)
    .join(','),
  '',
].join('\r\n')

export function csvRow(entry: Entry): string {
  const { outcome = '', code = '', method = '', caller, requestId = '', reason = '' } = readBody(entry)
  const { seq, ts, previousHash, recordHash } = entry
  const cells = [seq, ts ?? '', outcome, code, method, caller?.id ?? '', requestId, reason, previousHash, recordHash]
  return `${cells.map(cell).join(',')}\r\n`
}

/**
 * One cell (RFC 4180). What a spreadsheet would run as a formula begins with an apostrophe, as OWASP advises: `=`, `+`, `-`, `@`,
 * their full-width forms, tab and line ends.
 */
export function cell(text: string): string {
  const guarded = /^[\s\u00a0\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20|%]|^[\t\r\n]/u.test(text) ? `'${text}` : text
  return `"${guarded.replaceAll('"', '""')}"`
}
