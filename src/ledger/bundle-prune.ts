import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BlockCursor } from './block.ts'
import { manifestName, type Manifest, type ManifestFile } from './bundle.ts'
import { readBlocks } from './bundle-read.ts'
import { parseEntry } from './entry.ts'
import { Frontier } from './tree.ts'

/** Where policy cut a log, and the entry of the same log that says so. */
export interface Cut {
  readonly below: number
  readonly seq: number
  readonly text: string
}

interface BadPrune {
  readonly problem: 'bad_prune'
  readonly detail: string
  readonly file: string
}

/** The cut that the manifest of a log tells of; undefined where nothing was cut, or nothing explains it. */
export function cutOf({ log, from, start, prunes }: Manifest): Cut | undefined | BadPrune {
  for (const [at, text] of prunes.entries()) {
    const parsed = parseEntry(Buffer.from(text))
    const args = parsed.ok ? (parsed.entry.body['args'] as { readonly [key: string]: unknown } | undefined) : undefined
    if (
      !parsed.ok ||
      parsed.entry.log !== log ||
      parsed.entry.body['kind'] !== 'ledger.prune' ||
      args?.['log'] !== log
    ) {
      return bad(`prune ${at + 1} of ${manifestName} is no entry of this log about what it lost`)
    }
    if (args['below'] !== from) continue
    const cut = { below: from, seq: parsed.entry.seq, text }
    if (start.frontier === null) return cut
    const root = Frontier.fromBytes(from, Buffer.from(start.frontier, 'hex')).root().toString('hex')
    if (args['root'] === root) return cut
    return bad(`what stands before entry ${from} is not what the prune entry says that was taken away`)
  }
  return undefined
}

/** Whether the entry that tells of the cut stands in these files, byte for byte, at its place; undefined where its place is not here. */
export async function isInPlace(
  folder: string,
  files: readonly ManifestFile[],
  { seq, text }: Cut,
): Promise<boolean | undefined> {
  const file = files.find(({ first, entries }) => seq >= first && seq < first + entries)
  if (file === undefined) return undefined
  let at = file.first
  for await (const block of readBlocks(join(folder, file.name), createHash('sha256'))) {
    const cursor = new BlockCursor(block)
    while (cursor.next()) {
      if (at === seq) return Buffer.from(block.bytes.subarray(cursor.start, cursor.end)).equals(Buffer.from(text))
      at += 1
    }
  }
  return false
}

export function bad(detail: string): BadPrune {
  return { problem: 'bad_prune', detail, file: manifestName }
}
