import { isUtf8 } from 'node:buffer'
import { createHash, hash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Block } from './block.ts'
import { manifestName, manifestShape, openSealed, type Manifest, type ManifestFile } from './bundle.ts'
import { lookAtCheckpoints, type CheckpointsSeen, type Trusted } from './bundle-checkpoints.ts'
import { bad, cutOf, isInPlace } from './bundle-prune.ts'
import { readBlocks } from './bundle-read.ts'
import { parseEntry } from './entry.ts'
import { Frontier } from './tree.ts'
import { verifyBlocks, type Summarizer } from './verify.ts'
import type { ChainProblem, Expected, VerifyResult } from './walk.ts'

export type BundleProblem =
  | ChainProblem
  | 'bad_manifest'
  | 'missing_file'
  | 'unknown_file'
  | 'torn_file'
  | 'bad_digest'
  | 'bad_checkpoint'
  | 'bad_prune'

/** What a replay of one exported log found. Names as the interface shows them (SPEC L10). */
export interface BundleVerdict {
  readonly chain_valid: boolean
  readonly log: string
  readonly from: number
  readonly to: number
  readonly entries: number
  /** Empty where what is before `from` is not known. */
  readonly root: string
  readonly first_bad_seq?: number
  readonly problem?: BundleProblem
  readonly detail: string
  /** The file that the bad place is in, and its line, from 1. */
  readonly file?: string
  readonly line?: number
  /** Whether a manifest stood beside the entries; without one a cut tail goes unseen. */
  readonly manifest: boolean
  /** The largest size that a checkpoint confirms; 0 where there is none. */
  readonly checkpoint_size: number
  /** The keys that signed it; empty where no key was given to check with. */
  readonly signed_by: readonly string[]
  /** Entries below it were taken away by policy. */
  readonly pruned_below?: number
}

export interface VerifyOptions {
  readonly trusted?: Trusted
  readonly summarizer: Summarizer
  /** Told how many bytes were read, block by block. */
  readonly read?: ((bytes: number) => void) | undefined
}

/** Which manifest: one beside a single file names that file, and what else is in its folder is not its business. */
export interface ManifestPlace {
  readonly folder: string
  readonly name: string
  readonly isAlone: boolean
  /** SHA-256 of the manifest, where something else says it. */
  readonly sha256?: string | undefined
}

/** Something wrong beyond the chain. */
interface Fault {
  readonly problem: BundleProblem
  readonly detail: string
  readonly file?: string
  readonly seq?: number
}

/**
 * Verifies what BundleWriter wrote: the chain first, whose verdict names the first bad entry, then what else the manifest says.
 * Rejects where files cannot be read.
 */
export async function verifyBundle(place: ManifestPlace, options: VerifyOptions): Promise<BundleVerdict> {
  const opened = await openManifest(place)
  if (!('manifest' in opened)) return broken('', opened)
  const { manifest } = opened
  const { log, from, files, checkpoint: note, root } = manifest
  const seen = lookAtCheckpoints({ log, from, note, rooted: root !== null }, options.trusted)
  if ('problem' in seen) return broken(log, seen)
  const cut = cutOf(manifest)
  if (cut !== undefined && 'problem' in cut) return broken(log, cut)
  const faults: Fault[] = []
  const blocks = bundleBlocks(place.folder, files, faults, options)
  const expected: Expected = { log, ...ends(manifest), checkpoints: seen.checkpoints }
  const result = await verifyBlocks(blocks, expected, options.summarizer)
  if (!place.isAlone) faults.push(...(await strangers(place.folder, manifest)))
  const verdict = verdictOf(log, result, faults, seen)
  const placed = { ...verdict, ...placeOf(verdict, files) }
  if (cut === undefined || !placed.chain_valid) return placed
  const inPlace = await isInPlace(place.folder, files, cut)
  if (inPlace === false) return { ...broken(log, bad(`entry ${cut.seq} is not the prune entry of the manifest`)), from }
  // A part of a log that ends before the entry: it explains nothing that can be verified here.
  return inPlace === undefined ? placed : { ...placed, pruned_below: cut.below }
}

/** Verifies one NDJSON file without a manifest, such as a file sink writes: it may begin anywhere and end anywhere. */
export async function verifyFile(path: string, options: VerifyOptions): Promise<BundleVerdict> {
  const first = await firstEntry(path)
  const log = first?.log ?? ''
  const from = first === undefined || first.seq === 0 ? undefined : { seq: first.seq, prev: first.prev }
  const range = { log, from: from?.seq ?? 0, note: null, rooted: from === undefined }
  const seen = lookAtCheckpoints(range, options.trusted)
  if ('problem' in seen) return broken(log, seen)
  const expected: Expected = { log, from, checkpoints: seen.checkpoints }
  const faults: Fault[] = []
  const blocks = fileBlocks(path, undefined, faults, options)
  const result = await verifyBlocks(blocks, expected, options.summarizer)
  const verdict = { ...verdictOf(log, result, faults, seen), manifest: false }
  if (verdict.first_bad_seq === undefined) return verdict
  return { ...verdict, file: path, line: verdict.first_bad_seq - verdict.from + 1 }
}

async function openManifest({ folder, name, sha256 }: ManifestPlace): Promise<{ manifest: Manifest } | Fault> {
  const fault = (why: string, problem: BundleProblem = 'bad_manifest'): Fault => ({
    problem,
    detail: `${name} ${why}`,
    file: name,
  })
  let bytes: Buffer
  try {
    bytes = await readFile(join(folder, name))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return fault('is missing', 'missing_file')
    throw error
  }
  if (sha256 !== undefined && hash('sha256', bytes, 'hex') !== sha256) return fault('is not the one of this export')
  if (!isUtf8(bytes)) return fault('is not UTF-8')
  const text = bytes.toString()
  const opened = openSealed(text, manifestShape)
  if (!opened.ok) return fault(opened.why)
  const why = contradiction(opened.value)
  return why === undefined ? { manifest: opened.value } : fault(why)
}

/** What cannot be so, whoever wrote it. */
function contradiction({ from, to, entries, start, files }: Manifest): string | undefined {
  if (start.frontier !== null) {
    try {
      Frontier.fromBytes(from, Buffer.from(start.frontier, 'hex'))
    } catch {
      return 'holds a frontier that is not one of its start'
    }
  }
  if (to - from + 1 !== entries && files.length === 0) return 'counts entries that no file holds'
  return undefined
}

function ends({ from, to, start, root, last_hash: lastHash }: Manifest): Pick<Expected, 'from' | 'head'> {
  const frontier = start.frontier === null ? undefined : Buffer.from(start.frontier, 'hex')
  return {
    ...(from === 0 ? {} : { from: { seq: from, prev: start.prev, frontier } }),
    head: { size: to + 1, root: root ?? undefined, lastHash },
  }
}

async function* bundleBlocks(
  folder: string,
  files: readonly ManifestFile[],
  faults: Fault[],
  options: VerifyOptions,
): AsyncGenerator<Block> {
  for (const file of files) {
    const path = join(folder, file.name)
    const isThere = await stat(path).then((found) => found.isFile(), isMissing)
    if (!isThere) {
      const detail = `${file.name} with entries ${file.first} to ${file.first + file.entries - 1} is missing`
      faults.push({ problem: 'missing_file', detail, file: file.name, seq: file.first })
      return
    }
    yield* fileBlocks(path, file, faults, options)
  }
}

async function* fileBlocks(
  path: string,
  file: ManifestFile | undefined,
  faults: Fault[],
  { read }: VerifyOptions,
): AsyncGenerator<Block> {
  const sha256 = createHash('sha256')
  const { bytes, isTorn } = yield* readBlocks(path, sha256, read)
  const name = file?.name ?? path
  const last = file === undefined ? {} : { seq: file.first + file.entries - 1 }
  if (isTorn) {
    faults.push({
      problem: 'torn_file',
      detail: `the last line of ${name} has no end: the file was cut`,
      file: name,
      ...last,
    })
  }
  if (file === undefined || isTorn || (bytes === file.bytes && sha256.digest('hex') === file.sha256)) return
  faults.push({ problem: 'bad_digest', detail: `${name} is not the file of the manifest`, file: name })
}

async function strangers(folder: string, { files }: Manifest): Promise<readonly Fault[]> {
  const known = new Set([manifestName, ...files.map(({ name }) => name)])
  const names = await readdir(folder)
  return names
    .filter((name) => !known.has(name))
    .map((name) => ({ problem: 'unknown_file', detail: `${name} does not belong to this log`, file: name }))
}

function verdictOf(
  log: string,
  result: VerifyResult,
  faults: readonly Fault[],
  { size, signedBy }: CheckpointsSeen,
): BundleVerdict {
  const { from, to, count: entries, root, detail } = result
  const base = { log, from, to, entries, root, manifest: true, checkpoint_size: size, signed_by: signedBy }
  if (!result.chain_valid) {
    const { first_bad_seq: seq, problem } = result
    const place = seq === undefined ? {} : { first_bad_seq: seq }
    const missing = faults.find((fault) => fault.problem === 'missing_file' && fault.seq === seq)
    const told = missing === undefined ? { problem, detail } : { problem: missing.problem, detail: missing.detail }
    return {
      ...base,
      to: Math.min(to, (seq ?? to + 1) - 1),
      chain_valid: false,
      ...place,
      ...(told as typeof told & { problem: BundleProblem }),
    }
  }
  const [fault] = faults
  if (fault === undefined) return { ...base, chain_valid: true, detail }
  const { problem, file, seq } = fault
  const place = { ...(seq === undefined ? {} : { first_bad_seq: seq }), ...(file === undefined ? {} : { file }) }
  return { ...base, chain_valid: false, problem, detail: fault.detail, ...place }
}

function placeOf(
  verdict: BundleVerdict,
  files: readonly ManifestFile[],
): { readonly file?: string; readonly line?: number } {
  const { first_bad_seq: seq } = verdict
  if (seq === undefined) return {}
  const file = files.find(({ first, entries }) => seq >= first && seq < first + entries) ?? files.at(-1)
  return file === undefined ? {} : { file: file.name, line: seq - file.first + 1 }
}

function broken(log: string, { problem, detail, file }: Fault): BundleVerdict {
  const place = file === undefined ? {} : { file }
  const nothing = { from: 0, to: -1, entries: 0, root: '', checkpoint_size: 0, signed_by: [] }
  return { chain_valid: false, log, ...nothing, problem, detail, ...place, manifest: problem !== 'missing_file' }
}

async function firstEntry(
  path: string,
): Promise<{ readonly log: string; readonly seq: number; readonly prev: string } | undefined> {
  for await (const { bytes } of readBlocks(path, createHash('sha256'))) {
    const end = bytes.indexOf(0x0a)
    const parsed = parseEntry(bytes.subarray(0, end < 0 ? bytes.length : end))
    return parsed.ok ? parsed.entry : undefined
  }
  return undefined
}

function isMissing(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
  throw error
}
