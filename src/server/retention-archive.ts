import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BundleWriter, folderOf, Frontier, genesisPrev, manifestName, recordHash, verifyExport } from '#ledger'
import type { Expired, RetentionStore } from '#store'
import { RefusedError, StartError } from './start-error.ts'

/** An archive that was read back, and what the log is at its end. Hashes in hex. */
export interface Archived {
  readonly log: string
  readonly below: number
  readonly root: string
  readonly frontier: string
  readonly last_hash: string
  /** The digest in its manifest. */
  readonly archive: string
  readonly folder: string
}

/**
 * Writes what a log is to lose as a bundle, reads it back and verifies it, and proves that with it and what stays the log is the
 * one of its head (SPEC L12). An archive that is there already is verified and used; a torn one is gone on with.
 */
export async function archiveLog(
  store: RetentionStore,
  expired: Expired,
  parent: string,
  signal?: AbortSignal,
): Promise<Archived> {
  const { log, minIndex: from, lastSeq, lastHash, begin } = expired
  if (from > 0 && begin === undefined) {
    throw new StartError(`the log ${log} begins at ${from} and nothing says why`, [
      'verify it: `portcullis ledger verify`',
    ])
  }
  const folder = join(parent, folderOf(log))
  const prev = begin?.prev ?? genesisPrev
  if (!existsSync(join(folder, manifestName))) {
    const writer = new BundleWriter(folder, { log, from, prev, frontier: begin?.frontier })
    try {
      for await (const entry of store.entries(log, writer.next, lastSeq + 1)) {
        signal?.throwIfAborted()
        writer.add(entry)
      }
      writer.finish()
    } catch (error) {
      writer.abandon()
      throw error
    }
  }
  signal?.throwIfAborted()
  const verdict = await verifyExport(folder)
  const manifest = JSON.parse(await readFile(join(folder, manifestName), 'utf8')) as Manifest
  const isWhole = verdict.chain_valid && verdict.from === from && verdict.to === lastSeq
  if (!isWhole || manifest.last_hash !== lastHash) {
    const what = verdict.chain_valid
      ? `it holds entries ${verdict.from} to ${verdict.to} of ${verdict.log}, and not ${from} to ${lastSeq} of ${log}`
      : verdict.detail
    throw new RefusedError(`the archive ${folder} cannot be used`, [
      `${what}; move it away and run the command again, and verify the log where that does not help`,
    ])
  }
  const frontier = await frontierBehind(store, expired)
  if (frontier.root().toString('hex') !== verdict.root) throw differs(log)
  await joins(store, log, frontier)
  return {
    log,
    below: lastSeq + 1,
    root: verdict.root,
    frontier: frontier.toBytes().toString('hex'),
    last_hash: lastHash,
    archive: manifest.digest,
    folder,
  }
}

interface Manifest {
  readonly last_hash: string
  readonly digest: string
}

/** The tree behind the last entry that goes, over the entries as they are in the database. */
async function frontierBehind(store: RetentionStore, expired: Expired): Promise<Frontier> {
  const { log, minIndex, lastSeq, begin } = expired
  const frontier = begin === undefined ? new Frontier() : Frontier.fromBytes(minIndex, begin.frontier)
  for await (const entry of store.entries(log, minIndex, lastSeq + 1)) frontier.push(recordHash(entry))
  return frontier
}

/** With what stays the tree is that of the head: proofs of entries that are kept go on to hold. */
async function joins(store: RetentionStore, log: string, frontier: Frontier): Promise<void> {
  const head = await store.head(log)
  const whole = Frontier.fromBytes(frontier.size, frontier.toBytes())
  for await (const leaves of store.leaves(log, frontier.size, head.size)) {
    for (let at = 0; at < leaves.length; at += 32) whole.push(leaves.subarray(at, at + 32))
  }
  const root = Frontier.fromBytes(head.size, head.frontier).root()
  if (whole.size !== head.size || !whole.root().equals(root)) throw differs(log)
}

function differs(log: string): StartError {
  return new StartError(`the entries of the log ${log} are not those of its head`, [
    'nothing was pruned: keep the database as it is, and verify the log',
  ])
}
