import { createHash, hash } from 'node:crypto'
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'
import * as z from 'zod'
import type { Client } from './client.ts'
import { csvHead, csvRow } from './csv.ts'
import { CliError, usage } from './errors.ts'
import type { EntryFilters } from './entry-filters.ts'
import type { ExportPages } from './export-pages.ts'
import type { Io } from './io.ts'
import type { Entry } from './replies.ts'

export interface FileAsked {
  readonly log?: string | undefined
  /** `-` is the standard output. */
  readonly out: string
  readonly format: 'ndjson' | 'csv' | 'json'
  readonly filters: EntryFilters
}

export interface FileDone {
  readonly file: string
  readonly log: string
  readonly entries: number
  /** What stands beside the file. */
  readonly manifest?: string
}

/** Said of everything that is not the log itself. */
const viewNote = 'a view of the ledger and no evidence: it does not verify; `portcullis ledger export DIR` does'
const rowShape = z.object({ seq: z.number(), ts: z.string(), prev: z.string(), log: z.string() })

/**
 * Writes one file: a whole log, oldest first, or what a query finds, newest first. Only a whole log as NDJSON verifies, with the
 * manifest beside it; all else is a view, and says so.
 */
export async function exportFile(asked: FileAsked, pages: ExportPages, client: Client, io: Io): Promise<FileDone> {
  const newest = await pages.newest(asked.log ?? '')
  const log = asked.log ?? newest?.log ?? ''
  const filtered = Object.values(asked.filters).some((value) => value !== undefined)
  const sink = openSink(asked, io)
  try {
    if (asked.format === 'ndjson' && !filtered) {
      return await writeLog(asked, { log, end: Number(newest?.seq ?? -1) }, pages, sink, io)
    }
    const entries = filtered ? pages.found(log, asked.filters) : allOf(log, Number(newest?.seq ?? -1), pages, client)
    return await writeView(asked, log, entries, sink)
  } finally {
    sink.close()
  }
}

async function writeLog(
  { out }: FileAsked,
  { log, end }: { readonly log: string; readonly end: number },
  pages: ExportPages,
  sink: Sink,
  io: Io,
): Promise<FileDone> {
  const tally = (await io.server()).fileTally(log)
  let entries = 0
  for await (const lines of pages.lines(log, 0, end)) {
    if (entries === 0) refuseLater(lines[0], log)
    for (const line of lines) {
      tally.add(line)
      sink.write(`${line}\n`)
    }
    entries += lines.length
  }
  if (out === '-') return { file: out, log, entries }
  const manifest = `${out}.manifest.json`
  writeFile(manifest, tally.finish(basename(out)))
  return { file: out, log, entries, manifest }
}

async function writeView(
  { out, format, filters }: FileAsked,
  log: string,
  pages: AsyncIterable<readonly Entry[]>,
  sink: Sink,
): Promise<FileDone> {
  const sha256 = createHash('sha256')
  let entries = 0
  const write = (text: string): void => {
    sha256.update(text)
    sink.write(text)
  }
  if (format === 'csv') write(csvHead)
  if (format === 'json') write(`{"note":${JSON.stringify(viewNote)},"log":${JSON.stringify(log)},"entries":[`)
  for await (const page of pages) {
    for (const entry of page) {
      if (format === 'csv') write(csvRow(entry))
      else if (format === 'json') write(`${entries === 0 ? '' : ','}\n${JSON.stringify(entry)}`)
      else write(`${entry.entryJson}\n`)
      entries += 1
    }
  }
  if (format === 'json') write('\n]}\n')
  if (out === '-' || format !== 'ndjson') return { file: out, log, entries }
  const manifest = `${out}.manifest.json`
  const about = {
    format: 'portcullis-ledger-view/1',
    note: viewNote,
    log,
    filters,
    entries,
    sha256: sha256.digest('hex'),
  }
  writeFile(manifest, `${JSON.stringify(about, null, 2)}\n`)
  return { file: out, log, entries, manifest }
}

async function* allOf(log: string, end: number, pages: ExportPages, client: Client): AsyncGenerator<readonly Entry[]> {
  for await (const lines of pages.lines(log, 0, end)) yield lines.map((line) => entryOf(line, client))
}

/** The entry of one line, as the list calls give it. */
function entryOf(line: string, client: Client): Entry {
  const { seq, ts, prev, log } = client.parse(JSON.parse(line), rowShape)
  return { log, seq: String(seq), ts, previousHash: prev, recordHash: hash('sha256', `\0${line}`), entryJson: line }
}

/** A single file has no room for what stands before its first entry. */
function refuseLater(line: string | undefined, log: string): void {
  if (line === undefined || /,"seq":0,"ts":/.test(line)) return
  throw usage(
    `The log ${log} begins later: what was before was archived by policy.`,
    'Export it into a folder: portcullis ledger export DIR',
  )
}

export interface Sink {
  write(text: string): void
  close(): void
}

/** A file that must not be there yet, or the standard output. */
export function openSink({ out }: Pick<FileAsked, 'out'>, io: Io): Sink {
  if (out === '-') return { write: (text) => io.out.write(text), close: () => undefined }
  const file = tried(out, () => openSync(out, 'wx', 0o600))
  return { write: (text) => void tried(out, () => writeSync(file, text)), close: () => closeSync(file) }
}

function writeFile(path: string, text: string): void {
  tried(path, () => writeFileSync(path, text, { flag: 'wx', mode: 0o600 }))
}

function tried<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'failed'
    if (code === 'EEXIST') throw usage(`The file ${path} exists already.`, 'Name another file; nothing is overwritten.')
    throw new CliError('usage', 'cli.file', `The file ${path} cannot be written (${code}).`, {
      todo: 'Name a file in a folder that this user may write to, with space left.',
      cause,
    })
  }
}
