import { isUtf8 } from 'node:buffer'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { exportName, exportShape, folderOf, manifestName, openSealed, planName, type ExportIndex } from './bundle.ts'
import type { Trusted } from './bundle-checkpoints.ts'
import { verifyBundle, verifyFile, type BundleVerdict, type VerifyOptions } from './bundle-verify.ts'
import { parseVkey } from './note.ts'
import { inTurns, RangePool } from './range-pool.ts'

/** What a replay of a whole export found: the verdict of the first log that is broken, else of the first; and each by itself. */
export interface ExportVerdict extends BundleVerdict {
  readonly logs: readonly BundleVerdict[]
}

export interface ExportOptions extends Trusted {
  /** Told how much was read, in bytes. */
  readonly progress?: ((amount: { readonly done: number; readonly total: number }) => void) | undefined
}

/** There is nothing that could be verified; each problem says what to do. */
export class ExportUnusable extends Error {
  override readonly name = 'ExportUnusable'
  readonly problems: readonly string[]

  constructor(message: string, problem: string, cause?: unknown) {
    super(message, { cause })
    this.problems = [problem]
  }
}

// Less is gone through before the threads have started.
const threadedBytes = 4 * 1024 * 1024

/**
 * Verifies an export without server, database or network (SPEC L10): a folder of `ledger export`, the folder of one log, or a file
 * of entries, with `FILE.manifest.json` or without. Throws ExportUnusable where there is nothing to verify.
 */
export async function verifyExport(path: string, options: ExportOptions = {}): Promise<ExportVerdict> {
  for (const vkey of options.keys ?? []) {
    const parsed = parseVkey(vkey)
    if (!parsed.ok) throw new ExportUnusable('one of the keys is no verifier key', parsed.why)
  }
  try {
    return await verifyAt(path, options)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const problem = `${path}: ${String(error.code)}; name what \`ledger export\` wrote, and make it readable`
    throw new ExportUnusable('the export cannot be read', problem, error)
  }
}

async function verifyAt(
  path: string,
  { progress = () => undefined, ...trusted }: ExportOptions,
): Promise<ExportVerdict> {
  const total = await bytesIn(path)
  let done = 0
  const read = (bytes: number): void => {
    done += bytes
    progress({ done, total })
  }
  if (total < threadedBytes) return verifyWith(path, { trusted, read, summarizer: inTurns })
  await using pool = new RangePool()
  return await verifyWith(path, { trusted, read, summarizer: pool })
}

async function verifyWith(path: string, options: VerifyOptions): Promise<ExportVerdict> {
  if (!(await stat(path)).isDirectory()) return whole([await verifyOne(path, options)])
  const names = new Set(await readdir(path))
  if (names.has(exportName) && !names.has(planName)) return verifyLogs(path, names, options)
  if (names.has(planName)) {
    throw new ExportUnusable(
      'the export is not complete',
      `${path}: run the same \`ledger export\` again, it goes on where it stopped`,
    )
  }
  if (names.has(manifestName))
    return whole([await verifyBundle({ folder: path, name: manifestName, isAlone: false }, options)])
  throw new ExportUnusable(
    'this is no export',
    `${path}: there is neither ${exportName} nor ${manifestName} in it; name a folder of \`ledger export\``,
  )
}

async function verifyOne(file: string, options: VerifyOptions): Promise<BundleVerdict> {
  const [folder, name] = [dirname(file), `${basename(file)}.${manifestName}`]
  const names = await readdir(folder)
  if (!names.includes(name)) return verifyFile(file, options)
  return verifyBundle({ folder, name, isAlone: true }, options)
}

async function verifyLogs(path: string, names: ReadonlySet<string>, options: VerifyOptions): Promise<ExportVerdict> {
  const bytes = await readFile(join(path, exportName))
  const opened = openSealed(isUtf8(bytes) ? bytes.toString() : '', exportShape)
  if (!opened.ok) return whole([nothing('', 'bad_manifest', `${exportName} ${opened.why}`, exportName)])
  const { logs } = opened.value
  const verdicts: BundleVerdict[] = []
  for (const one of logs) verdicts.push(await verifyLog(path, one, options))
  const known = new Set([exportName, ...logs.map(({ folder }) => folder)])
  const stranger = [...names].find((name) => !known.has(name))
  if (stranger !== undefined && verdicts.every(({ chain_valid: valid }) => valid)) {
    verdicts.push(nothing('', 'unknown_file', `${stranger} does not belong to this export`, stranger))
  }
  return whole(verdicts)
}

async function verifyLog(
  path: string,
  { log, folder, manifest }: ExportIndex['logs'][number],
  options: VerifyOptions,
): Promise<BundleVerdict> {
  if (folder !== folderOf(log))
    return nothing(log, 'bad_manifest', `${exportName} names a folder that is not that of ${log}`, exportName)
  const there = await stat(join(path, folder)).catch(() => undefined)
  if (there?.isDirectory() !== true)
    return nothing(log, 'missing_file', `the folder ${folder} of the log ${log} is missing`, folder)
  const place = { folder: join(path, folder), name: manifestName, isAlone: false, sha256: manifest }
  const verdict = await verifyBundle(place, options)
  const file = verdict.file === undefined ? {} : { file: `${folder}/${verdict.file}` }
  if (verdict.log !== '' && verdict.log !== log) {
    return nothing(log, 'wrong_log', `the folder ${folder} holds the log ${verdict.log}`, `${folder}/${manifestName}`)
  }
  return { ...verdict, log, ...file }
}

function whole(logs: readonly BundleVerdict[]): ExportVerdict {
  const shown = logs.find(({ chain_valid: valid }) => !valid) ?? logs[0]
  const empty = nothing('', 'missing_file', 'the export holds no log', exportName)
  return { ...(shown ?? empty), logs }
}

function nothing(log: string, problem: BundleVerdict['problem'] & string, detail: string, file: string): BundleVerdict {
  const none = { from: 0, to: -1, entries: 0, root: '', manifest: true, checkpoint_size: 0, signed_by: [] }
  return { chain_valid: false, log, ...none, problem, detail, file }
}

/** The bytes of all entries below a path. */
async function bytesIn(path: string): Promise<number> {
  const found = await stat(path)
  if (!found.isDirectory()) return found.size
  const names = await readdir(path, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile() && entry.name.endsWith('.ndjson'))
  const sizes = await Promise.all(files.map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
