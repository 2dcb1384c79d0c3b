import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { parseEntry, ExportOptions, ExportVerdict } from '#ledger'

/** The entry with which a report was recorded. */
export interface EvidenceEntry {
  readonly log: string
  readonly seq: number
  /** UTC, when it was committed. */
  readonly at: string
  readonly caller: string
}

export interface EvidenceVerdict {
  readonly ledger: ExportVerdict
  /** Where the export is right and has the report's digest in an entry that was let in; none otherwise. */
  readonly entries: readonly EvidenceEntry[]
}

const recordMethod = '/portcullis.v1.PostureService/RecordReport'

/**
 * Whether an export of the ledger says that a report was recorded, byte for byte: the export is verified as `ledger verify --offline`
 * does, then searched for the report's SHA-256. Needs neither server nor network.
 */
export async function findEvidence(
  exportPath: string,
  reportSha256: string,
  options?: ExportOptions,
): Promise<EvidenceVerdict> {
  // Loaded here alone: a run that looks at files starts without them.
  const { createInterface } = await import('node:readline')
  const { parseEntry: parse, verifyExport } = await import('#ledger')
  const ledger = await verifyExport(exportPath, options)
  if (!ledger.chain_valid) return { ledger, entries: [] }
  const entries: EvidenceEntry[] = []
  for (const file of await entryFiles(exportPath)) {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
      // Most entries are told apart without reading them.
      if (!line.includes(reportSha256)) continue
      const entry = evidenceOf(parse(Buffer.from(line)), reportSha256)
      if (entry !== undefined) entries.push(entry)
    }
  }
  return { ledger, entries }
}

function evidenceOf(parsed: ReturnType<typeof parseEntry>, reportSha256: string): EvidenceEntry | undefined {
  if (!parsed.ok) return undefined
  const { body, log, seq, ts } = parsed.entry
  const { args, caller } = body as {
    readonly args?: { readonly reportSha256?: unknown }
    readonly caller?: { id?: unknown }
  }
  if (body['method'] !== recordMethod || body['outcome'] !== 'allow' || args?.reportSha256 !== reportSha256)
    return undefined
  return { log, seq, at: ts, caller: typeof caller?.id === 'string' ? caller.id : '' }
}

async function entryFiles(path: string): Promise<readonly string[]> {
  if (!(await stat(path)).isDirectory()) return [path]
  const found = await readdir(path, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ndjson'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}
