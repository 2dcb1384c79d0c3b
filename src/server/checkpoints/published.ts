import { openCheckpoint, type NoteVerifier, type Sink } from '#ledger'
import type { AnchorFiles } from './anchor-files.ts'
import { within } from './publisher.ts'

/** A checkpoint that somebody outside of the database holds. */
export interface Published {
  /** `sink NAME` or `the anchor folder`. */
  readonly place: string
  readonly note: string
}

interface Places {
  readonly sinks: readonly Sink[]
  readonly anchors: AnchorFiles | undefined
}

/**
 * The newest checkpoints that are known outside of the database. A place that cannot be asked is left out; where there are places and
 * none of them can be asked, it throws: signing blindly is what this prevents.
 */
export async function readPublished(
  { sinks, anchors }: Places,
  { log, origin }: { readonly log: string; readonly origin: string },
  signal: AbortSignal,
): Promise<readonly Published[]> {
  const asked: Promise<Published | undefined>[] = []
  if (anchors !== undefined) asked.push(told('the anchor folder', anchors.newest(log)))
  for (const sink of sinks) {
    if (sink.newest === undefined) continue
    asked.push(
      told(
        `sink ${sink.name}`,
        within(signal, async () => sink.newest?.({ log, origin }, signal)),
      ),
    )
  }
  const settled = await Promise.allSettled(asked)
  const failed = settled.filter((one) => one.status === 'rejected')
  if (failed.length > 0 && failed.length === settled.length) {
    throw new Error('the newest published checkpoint cannot be read anywhere', { cause: failed[0]?.reason })
  }
  return settled.flatMap((one) => (one.status === 'fulfilled' && one.value !== undefined ? [one.value] : []))
}

/** Why what was published is not the beginning of the log that is here; undefined where all of it is. */
export async function contradiction(
  published: readonly Published[],
  here: {
    readonly origin: string
    readonly size: number
    readonly verifiers: readonly NoteVerifier[]
    readonly rootAt: (size: number) => Promise<string>
  },
): Promise<string | undefined> {
  for (const { place, note } of published) {
    const opened = openCheckpoint(note, here.origin, here.verifiers)
    if (!opened.ok) {
      return `the checkpoint that ${place} holds is not believed: ${opened.why}. If the key was changed, name the one before in audit.checkpoints.knownKeys`
    }
    const { size, root } = opened.checkpoint
    if (size > here.size) {
      return `${place} holds a checkpoint over ${size} entries, and there are ${here.size} here: this database is older than what was published, such as one restored from a backup`
    }
    if (size > 0 && (await here.rootAt(size)) !== root) {
      return `${place} holds a checkpoint over ${size} entries with another root: entries here were changed, or this is another history of the log`
    }
  }
  return undefined
}

async function told(place: string, note: Promise<string | undefined>): Promise<Published | undefined> {
  const text = await note
  return text === undefined ? undefined : { place, note: text }
}
