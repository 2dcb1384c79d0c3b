import { parseCheckpoint, type Checkpoint } from './checkpoint.ts'
import { openNote, parseVkey, verifierOf, type NoteVerifier } from './note.ts'

/** What the one who verifies brings along. */
export interface Trusted {
  /** Verifier keys of checkpoints, `<origin>+<id>+<base64>`. */
  readonly keys?: readonly string[]
  /** Checkpoints that were kept elsewhere: exact texts. */
  readonly checkpoints?: readonly string[]
}

/** The checkpoints of a log that may be compared with it. */
export interface CheckpointsSeen {
  readonly checkpoints: readonly Checkpoint[]
  /** The largest size among them; 0 where there is none. */
  readonly size: number
  readonly signedBy: readonly string[]
}

/** What is to be compared with checkpoints. */
interface CheckpointedRange {
  readonly log: string
  readonly from: number
  /** The checkpoint that is there itself. */
  readonly note: string | null
  /** Its roots can be computed: what stands before `from` is known. */
  readonly rooted: boolean
}

interface Refused {
  readonly problem: 'bad_checkpoint'
  readonly detail: string
}

/**
 * Reads the checkpoint of an export and those that were kept elsewhere. With keys, each of them must be signed by one, and there
 * must be one: an export without its checkpoint would pass for a checked one. Without keys they are compared and not believed.
 */
export function lookAtCheckpoints(
  { log, from, note, rooted }: CheckpointedRange,
  { keys = [], checkpoints: kept = [] }: Trusted = {},
): CheckpointsSeen | Refused {
  const verifiers = keys.map(verifierOfKey).filter(({ name }) => name.endsWith(`/${log}`))
  if (keys.length > 0 && verifiers.length === 0) {
    return refused(
      `none of the keys is for the log ${log}: the name of a key is the origin of its log, and ends in /${log}`,
    )
  }
  const notes = [
    ...(note === null ? [] : [{ text: note, which: 'of the export' }]),
    ...kept.map((text) => ({ text, which: 'that was given' })),
  ]
  if (keys.length > 0 && notes.length === 0)
    return refused('there is no checkpoint to check with the key: give one with --checkpoint')
  const checkpoints: Checkpoint[] = []
  const signedBy = new Set<string>()
  for (const { text, which } of notes) {
    const signed = keys.length === 0 ? undefined : openNote(text, verifiers)
    if (signed?.ok === false) return refused(`the checkpoint ${which} does not hold: ${signed.why}`)
    for (const name of signed?.signedBy ?? []) signedBy.add(name)
    const parsed = parseCheckpoint(signed?.text ?? text.slice(0, text.lastIndexOf('\n\n') + 1))
    if (!parsed.ok) return refused(`the checkpoint ${which} cannot be read: ${parsed.why}`)
    const { checkpoint } = parsed
    if (!checkpoint.origin.endsWith(`/${log}`)) {
      return refused(`the checkpoint ${which} is one of ${checkpoint.origin}, not of the log ${log}`)
    }
    if (signed !== undefined && !signed.signedBy.includes(checkpoint.origin)) {
      return refused(`the checkpoint ${which} is one of ${checkpoint.origin}, and a key of another log signed it`)
    }
    checkpoints.push(checkpoint)
  }
  const usable = rooted ? checkpoints.filter(({ size }) => size >= from) : []
  if (keys.length + kept.length > 0 && usable.length === 0) {
    return refused(
      rooted
        ? `the checkpoints cover what is before entry ${from} only: give a newer one with --checkpoint`
        : `what is before entry ${from} is not known, so nothing can be compared with a checkpoint: export the log from its beginning`,
    )
  }
  return { checkpoints: usable, size: Math.max(0, ...usable.map(({ size }) => size)), signedBy: [...signedBy] }
}

function verifierOfKey(vkey: string): NoteVerifier {
  const parsed = parseVkey(vkey)
  if (!parsed.ok) throw new RangeError(parsed.why)
  return verifierOf(parsed.key.name, parsed.key.publicKey)
}

function refused(detail: string): Refused {
  return { problem: 'bad_checkpoint', detail }
}
