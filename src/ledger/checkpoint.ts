import { openNote, signNote, type NoteSigner, type NoteVerifier } from './note.ts'
import { emptyRoot } from './tree.ts'

/** What a log says of itself at one size (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** `<host>/<log>`. */
  readonly origin: string
  readonly size: number
  /** Merkle root over the first `size` entries, in hex. */
  readonly root: string
}

export type OpenedCheckpoint =
  | { readonly ok: true; readonly checkpoint: Checkpoint; readonly signedBy: readonly string[] }
  | { readonly ok: false; readonly why: string }

/** The signed note of a checkpoint. The name of a signer is the origin of the log. */
export function signCheckpoint({ origin, size, root }: Checkpoint, signers: readonly NoteSigner[]): string {
  return signNote(`${origin}\n${size}\n${Buffer.from(root, 'hex').toString('base64')}\n`, signers)
}

/** Reads a note that one of the verifiers signed, as a checkpoint of this log and of no other. */
export function openCheckpoint(
  note: string | Uint8Array,
  origin: string,
  verifiers: readonly NoteVerifier[],
): OpenedCheckpoint {
  const opened = openNote(note, verifiers)
  if (!opened.ok) return opened
  const parsed = parseCheckpoint(opened.text)
  if (!parsed.ok) return parsed
  if (parsed.checkpoint.origin !== origin) {
    return bad(`it is a checkpoint of ${parsed.checkpoint.origin.slice(0, 200)}, not of ${origin}`)
  }
  return { ...parsed, signedBy: opened.signedBy }
}

/** The text of a note as a checkpoint, whoever signed it. */
export function parseCheckpoint(
  text: string,
): { readonly ok: true; readonly checkpoint: Checkpoint } | { readonly ok: false; readonly why: string } {
  if (!text.endsWith('\n')) return bad('its last line does not end')
  const lines = text.slice(0, -1).split('\n')
  const [origin = '', decimal = '', base64 = '', ...extensions] = lines
  if (lines.length < 3) return bad('it has fewer than the three lines of a checkpoint')
  if (origin === '') return bad('its origin is empty')
  if (!/^(?:0|[1-9]\d{0,15})$/.test(decimal) || !Number.isSafeInteger(Number(decimal))) {
    return bad('its size is not a decimal number within 2^53')
  }
  const root = Buffer.from(base64, 'base64')
  if (root.length !== 32 || root.toString('base64') !== base64) return bad('its root is not base64 of 32 bytes')
  const size = Number(decimal)
  if (size === 0 && !root.equals(emptyRoot)) return bad('it is empty, and its root is not that of an empty tree')
  if (extensions.includes('')) return bad('one of its extension lines is empty')
  return { ok: true, checkpoint: { origin, size, root: root.toString('hex') } }
}

function bad(why: string): { readonly ok: false; readonly why: string } {
  return { ok: false, why }
}

/** An inclusion proof with its checkpoint as one text, to be kept beside an entry and verified offline (C2SP tlog-proof). */
export function formatProof(parts: {
  readonly index: number
  readonly proof: readonly Uint8Array[]
  readonly note: string
}): string {
  const hashes = parts.proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('')
  return `c2sp.org/tlog-proof@v1\nindex ${parts.index}\n${hashes}\n${parts.note}`
}
