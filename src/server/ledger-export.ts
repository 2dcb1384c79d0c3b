import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import * as z from 'zod'
import { entryBytesMax, Frontier, parseEntry, recordHash, verifyChain, type ChainItem, type Expected } from '#ledger'
import { StartError } from './start-error.ts'

const format = 'portcullis-ledger-ndjson/1'
const newline = 0x0a

const manifestShape = z.object({
  format: z.literal(format),
  log: z.string(),
  from: z.int().min(0),
  to: z.int().min(-1),
  entries: z.int().min(0),
  root: z.string().nullable(),
  last_hash: z.string(),
  sha256: z.string(),
})

type Manifest = z.output<typeof manifestShape>

export interface ExportTally {
  add(line: string): void
  finish(): Manifest
}

/** Adds up an export line by line: range, root, and the digest of the file (SPEC L13). Memory is bounded. */
export function exportTally(): ExportTally {
  const sha256 = createHash('sha256')
  const frontier = new Frontier()
  let [log, from, to, entries, lastHash] = ['', 0, -1, 0, '']
  return {
    add: (line) => {
      const bytes = Buffer.from(line)
      const parsed = parseEntry(bytes)
      // An entry that cannot be read is exported all the same: what looks at it later must see it.
      const seq = parsed.ok ? parsed.entry.seq : to + 1
      if (entries === 0) from = seq
      if (parsed.ok) log = parsed.entry.log
      to = seq
      entries += 1
      const hash = recordHash(bytes)
      lastHash = hash.toString('hex')
      frontier.push(hash)
      sha256.update(bytes).update('\n')
    },
    finish: () => ({
      format,
      log,
      from,
      to,
      entries,
      root: from === 0 ? frontier.root().toString('hex') : null,
      last_hash: lastHash,
      sha256: sha256.digest('hex'),
    }),
  }
}

interface ExportVerdict {
  readonly chain_valid: boolean
  readonly log: string
  readonly from: number
  readonly to: number
  readonly root: string
  readonly first_bad_seq?: number
  readonly problem?: string
  readonly detail: string
  readonly manifest: boolean
}

/**
 * Verifies an export without server, database or network (SPEC L10). With `FILE.manifest.json` beside it also the digest of the
 * file, the end of the log and its root. Throws a StartError where there is nothing to verify.
 */
export async function verifyExport(file: string): Promise<ExportVerdict> {
  const manifest = await manifestOf(`${file}.manifest.json`)
  const sha256 = createHash('sha256')
  const first = await firstEntry(file)
  const log = manifest?.log ?? first?.log ?? ''
  if (first !== undefined && first.seq > 0) {
    throw new StartError('this export does not begin at the first entry', [
      `it begins at ${first.seq}: export the log from its beginning, or verify it online`,
    ])
  }
  const expected: Expected = { log, head: headOf(manifest) }
  const result = await verifyChain(itemsOf(file, sha256), expected)
  const { detail, ...found } = { ...result, count: undefined }
  const told = { ...found, log, manifest: manifest !== undefined }
  if (!result.chain_valid || manifest === undefined) return { ...told, detail }
  const digest = sha256.digest('hex')
  if (digest === manifest.sha256) return { ...told, detail }
  return { ...told, chain_valid: false, problem: 'bad_digest', detail: 'the file is not the one of the manifest' }
}

function headOf(manifest: Manifest | undefined): Expected['head'] {
  if (manifest?.root === undefined || manifest.root === null) return undefined
  const lastHash = manifest.last_hash === '' ? undefined : manifest.last_hash
  return { size: manifest.to + 1, root: manifest.root, lastHash }
}

async function manifestOf(file: string): Promise<Manifest | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new StartError('the manifest cannot be read', [`${file}: make it readable, or move it away`], error)
  }
  try {
    return manifestShape.parse(JSON.parse(text))
  } catch (error) {
    throw new StartError('the manifest is not one of an export', [`${file}: export the log again`], error)
  }
}

async function firstEntry(file: string): Promise<{ readonly log: string; readonly seq: number } | undefined> {
  for await (const line of linesOf(file)) {
    const parsed = parseEntry(line)
    return parsed.ok ? parsed.entry : undefined
  }
  return undefined
}

async function* itemsOf(file: string, sha256: ReturnType<typeof createHash>): AsyncGenerator<ChainItem> {
  let place = 0
  for await (const entry of linesOf(file)) {
    sha256.update(entry).update('\n')
    const parsed = parseEntry(entry)
    const seq = parsed.ok ? parsed.entry.seq : place
    yield { seq, entry }
    place = seq + 1
  }
}

/** The lines of a file in bytes; memory is bounded by the largest entry there may be. */
async function* linesOf(file: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        yield rest.subarray(0, end)
        rest = rest.subarray(end + 1)
      }
      // Longer than any entry: handed on as it is, and found to be none.
      if (rest.length > entryBytesMax) break
    }
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new StartError('the export cannot be read', [`${file}: ${why}; name a file of \`ledger export\``], error)
  }
  if (rest.length > 0) yield rest
}
