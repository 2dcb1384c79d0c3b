import { createHash } from 'node:crypto'
import {
  BundleTally,
  ExportFolder,
  ExportUnusable,
  genesisPrev,
  verifyExport as verify,
  type ExportOptions,
  type ExportVerdict,
  type PlannedLog,
} from '#ledger'
import { StartError } from './start-error.ts'

export { frontierOfProof } from '#ledger'

/** Verifies an export without server, database or network (SPEC L10). Throws a StartError where there is nothing to verify. */
export function verifyExport(path: string, options?: ExportOptions): Promise<ExportVerdict> {
  return told(() => verify(path, options))
}

/** Begins or goes on with an export into a folder (SPEC L13). Throws a StartError where the folder is not free for it. */
export function openExport(
  dir: string,
  asked: string,
  plan: () => Promise<readonly PlannedLog[]>,
): Promise<ExportFolder> {
  return told(() => ExportFolder.open(dir, asked, plan))
}

/** Adds up an export into one file, which begins at the first entry of its log. */
export interface FileTally {
  /** One line without its end. */
  add(line: string): void
  /** The manifest to stand beside the file. */
  finish(name: string): string
}

export function fileTally(log: string): FileTally {
  const tally = new BundleTally({ log, from: 0, prev: genesisPrev })
  const sha256 = createHash('sha256')
  let [entries, bytes] = [0, 0]
  return {
    add: (line) => {
      const entry = Buffer.from(line)
      tally.add(entry, tally.seqOf(entry))
      sha256.update(entry).update('\n')
      entries += 1
      bytes += entry.length + 1
    },
    finish: (name) => tally.seal([{ name, first: 0, entries, bytes, sha256: sha256.digest('hex') }], {}),
  }
}

async function told<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof ExportUnusable) throw new StartError(error.message, error.problems, error)
    throw error
  }
}
