import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import type { ServerRoom } from './server-room.ts'

/** What the CLI uses of the server room for exports of the ledger. */
export interface ExportRoom {
  verifyExport(path: string, options?: VerifyOptions): Promise<ExportVerdict>
  openExport(dir: string, asked: string, plan: () => Promise<readonly PlannedLog[]>): Promise<OpenExport>
  fileTally(log: string): FileTally
  /** The frontier at the smaller size of a consistency proof, in hex, where the proof holds. */
  frontierOfProof(proof: ProvenPrefix): string | undefined
}

/** A consistency proof; hashes in hex. */
export interface ProvenPrefix {
  readonly from: number
  readonly to: number
  readonly fromRoot: string
  readonly proof: readonly string[]
}

export interface VerifyOptions {
  /** Verifier keys of checkpoints. */
  readonly keys?: readonly string[]
  /** Texts of checkpoints that were kept elsewhere. */
  readonly checkpoints?: readonly string[]
  readonly progress?: (amount: { readonly done: number; readonly total: number }) => void
}

/** One log of an export; hashes in hex. */
export interface PlannedLog {
  readonly log: string
  readonly from: number
  readonly to: number
  /** What stands before `from`. */
  readonly prev: string
  readonly frontier: string | null
  readonly checkpoint: string | null
  readonly prunes: readonly string[]
}

export interface OpenExport {
  readonly logs: readonly PlannedLog[]
  /** Undefined where the log is whole already. */
  writer(log: PlannedLog): LogWriter | undefined
  finish(): void
}

export interface LogWriter {
  readonly next: number
  add(entry: Uint8Array): void
  finish(end: { readonly checkpoint?: string | undefined; readonly prunes?: readonly string[] | undefined }): unknown
  abandon(): void
}

/** Adds up an export into one file. */
export interface FileTally {
  add(line: string): void
  finish(name: string): string
}

/** Names as the interface shows them. */
export interface LogVerdict {
  readonly chain_valid: boolean
  readonly log: string
  readonly from: number
  readonly to: number
  readonly entries: number
  readonly root: string
  readonly first_bad_seq?: number
  readonly problem?: string
  readonly detail: string
  readonly file?: string
  readonly line?: number
  /** Whether a manifest stood beside the entries; without one a cut tail goes unseen. */
  readonly manifest: boolean
  readonly checkpoint_size: number
  readonly signed_by: readonly string[]
  readonly pruned_below?: number
}

export interface ExportVerdict extends LogVerdict {
  readonly logs: readonly LogVerdict[]
}

/** Works on an export; what cannot be used is told as the user's to put right. */
export async function withExports<Result>(io: Io, act: (room: ServerRoom) => Promise<Result>): Promise<Result> {
  const room = await io.server()
  try {
    return await act(room)
  } catch (error) {
    if (!(error instanceof room.StartError)) throw error
    const { message, problems } = error
    const said = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`
    throw new CliError('usage', 'ledger.export_unusable', said, { problems, cause: error })
  }
}
