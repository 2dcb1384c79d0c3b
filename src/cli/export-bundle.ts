import { createHash } from 'node:crypto'
import type { ExportPages, LogState } from './export-pages.ts'
import { withExports, type ExportRoom, type LogWriter, type OpenExport, type PlannedLog } from './export-room.ts'
import { usage } from './errors.ts'
import type { Io } from './io.ts'
import { ProgressBar } from './progress.ts'

export interface BundleAsked {
  readonly log?: string | undefined
  readonly allLogs?: boolean | undefined
  readonly from?: number | undefined
  readonly to?: number | undefined
}

export interface BundleDone {
  readonly dir: string
  readonly entries: number
  readonly logs: readonly { readonly log: string; readonly from: number; readonly to: number }[]
}

/** Exports logs into a folder, or goes on with an export that was torn (SPEC L13). */
export async function exportBundle(dir: string, asked: BundleAsked, pages: ExportPages, io: Io): Promise<BundleDone> {
  return withExports(io, async (room) => {
    const open = await room.openExport(dir, askedText(asked), () => planLogs(asked, pages, room))
    const total = open.logs.reduce((sum, { from, to }) => sum + to - from + 1, 0)
    const progress = new ExportProgress(total, io)
    try {
      for (const log of open.logs) await exportLog(open, log, pages, progress)
      open.finish()
    } finally {
      progress.clear()
    }
    return { dir, entries: total, logs: open.logs.map(({ log, from, to }) => ({ log, from, to })) }
  })
}

async function exportLog(
  open: OpenExport,
  log: PlannedLog,
  pages: ExportPages,
  progress: ExportProgress,
): Promise<void> {
  const writer = open.writer(log)
  if (writer === undefined) return progress.skip(log.to - log.from + 1)
  progress.skip(writer.next - log.from)
  try {
    for await (const lines of pages.lines(log.log, writer.next, log.to)) {
      for (const line of lines) writer.add(Buffer.from(line))
      progress.add(lines.length, log.log)
    }
  } catch (error) {
    leave(writer)
    throw error
  }
  writer.finish({ checkpoint: log.checkpoint ?? undefined, prunes: log.prunes })
}

// What is written stays for the next try, whatever ended this one.
function leave(writer: LogWriter): void {
  try {
    writer.abandon()
  } catch {
    // The disk is full, most likely: then that is what the first error says.
  }
}

/** Fixes what is exported: where each log ends, and a checkpoint that covers no more than that. */
async function planLogs(
  { log, allLogs, from, to }: BundleAsked,
  pages: ExportPages,
  room: ExportRoom,
): Promise<readonly PlannedLog[]> {
  // Before the ends are read: a checkpoint covers what was there.
  const names = new Map<string, { size: number; note: string } | undefined>()
  const states = await pages.logs()
  const own = allLogs === true ? undefined : (log ?? (await pages.newest(''))?.log)
  const chosen = allLogs === true ? states : states.filter((state) => state.log === own)
  if (chosen.length === 0)
    throw usage(`There is no log ${own ?? ''} for this key.`, 'Leave out --log, or use a key of its tenant.')
  for (const state of chosen) names.set(state.log, await pages.checkpoint(state.log))
  const logs: PlannedLog[] = []
  for (const state of chosen) {
    const planned = await planLog(state, { from, to }, pages, room)
    const signed = names.get(state.log)
    const covers = signed !== undefined && signed.size >= planned.from && signed.size <= planned.to + 1
    logs.push({ ...planned, checkpoint: covers ? signed.note : null })
  }
  return logs
}

async function planLog(
  { log, firstSeq, size, startHash, startFrontier, pruneSeq }: LogState,
  { from = firstSeq, to = Number.MAX_SAFE_INTEGER }: Pick<BundleAsked, 'from' | 'to'>,
  pages: ExportPages,
  room: ExportRoom,
): Promise<PlannedLog> {
  const newest = Number((await pages.newest(log))?.seq ?? size - 1)
  const last = Math.min(to, newest)
  if (from < firstSeq) {
    throw usage(
      `The log ${log} begins at ${firstSeq}: what was before was archived by policy.`,
      `Ask for --from ${firstSeq}, and look into the archives for the rest.`,
    )
  }
  if (from > last + 1) throw usage(`The log ${log} ends at ${newest}.`, 'Ask for an earlier --from.')
  const base = { log, from, to: last, checkpoint: null, prunes: [] }
  if (from === 0) return { ...base, prev: '0'.repeat(64), frontier: null }
  if (from > firstSeq) {
    const proof = await pages.proofFrom(log, from)
    const frontier = proof === undefined ? undefined : room.frontierOfProof(proof)
    return { ...base, prev: await hashOf(log, from - 1, pages), frontier: frontier ?? null }
  }
  const prune = pruneSeq < 0 ? undefined : await entryAt(log, pruneSeq, pages)
  return { ...base, prev: startHash, frontier: startFrontier, prunes: prune === undefined ? [] : [prune] }
}

async function hashOf(log: string, seq: number, pages: ExportPages): Promise<string> {
  const entry = await entryAt(log, seq, pages)
  if (entry === undefined)
    throw usage(`Entry ${seq} of the log ${log} is missing.`, 'Verify the log: portcullis ledger verify')
  return createHash('sha256').update('\0').update(entry).digest('hex')
}

async function entryAt(log: string, seq: number, pages: ExportPages): Promise<string | undefined> {
  for await (const lines of pages.lines(log, seq, seq)) return lines[0]
  return undefined
}

/** What was asked for, as a person would write it: a torn export is gone on with by the same. */
function askedText({ log, allLogs, from, to }: BundleAsked): string {
  const parts = [
    allLogs === true ? '--all-logs' : log === undefined ? 'no --log' : `--log ${log}`,
    ...(from === undefined ? [] : [`--from ${from}`]),
    ...(to === undefined ? [] : [`--to ${to}`]),
  ]
  return parts.join(' ')
}

/** How far an export is, how fast it is, and how long it still takes. */
export class ExportProgress {
  readonly #total: number
  readonly #io: Io
  readonly #bar: ProgressBar
  readonly #startedAtMs: number
  #done = 0
  #fresh = 0

  constructor(total: number, io: Io) {
    this.#total = total
    this.#io = io
    this.#bar = new ProgressBar(io)
    this.#startedAtMs = io.monotonic()
  }

  /** What was there already. */
  skip(entries: number): void {
    this.#done += entries
  }

  add(entries: number, log: string): void {
    this.#done += entries
    this.#fresh += entries
    const seconds = (this.#io.monotonic() - this.#startedAtMs) / 1000
    const rate = seconds > 0 ? this.#fresh / seconds : 0
    const left = rate > 0 ? `, ${Math.ceil((this.#total - this.#done) / rate)} s left` : ''
    const note = `${log}: ${this.#done} of ${this.#total} entries, ${Math.round(rate)}/s${left}`
    this.#bar.show({ done: this.#done, total: this.#total }, note)
  }

  clear(): void {
    this.#bar.clear()
  }
}
