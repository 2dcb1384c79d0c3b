import type { Block } from '#ledger'
import type { Statement } from './connection.ts'

// One block is a transaction of its own, so that a long log meets no statement timeout and holds no snapshot.
// Larger ones cost more than they save: the driver puts a row together from what arrives, again and again.
const blockEntries = 256
const blockBytes = 128 * 1024

/** Entries of a log in order, with the leaf hashes stored beside them, in one run of bytes. */
export interface EntriesBlock {
  readonly block: Block
  readonly lastSeq: number
}

export interface BlockRow {
  readonly last: string | null
  readonly rows: Buffer<ArrayBuffer> | null
}

/** Entries from one seq on and below another; more than the bytes only by the last entry. What is asked of the index alone is cheap. */
export function blockStatement(log: string, fromSeq: number, toSeq: number): Statement {
  return {
    name: 'read.entries_block',
    text: `select max(e.seq) as last,
        string_agg(int8send(e.seq) || int4send(octet_length(e.entry)) || e.leaf || e.entry, ''::bytea order by e.seq) as rows
      from (select b.*, sum(octet_length(b.entry)) over (order by b.seq rows unbounded preceding) - octet_length(b.entry) as before
              from (select s.seq, s.leaf, s.entry from audits.entries s
                     where s.log = $1 and s.seq >= $2::bigint and s.seq < $3::bigint order by s.seq limit ${blockEntries}) b) e
     where e.before < ${blockBytes}`,
    values: [log, fromSeq, toSeq],
  }
}

export function entriesBlock({ last, rows }: BlockRow): EntriesBlock | undefined {
  if (last === null || rows === null) return undefined
  const { buffer, byteOffset, length } = rows
  return { block: { form: 'rows', bytes: new Uint8Array(buffer, byteOffset, length) }, lastSeq: Number(last) }
}
