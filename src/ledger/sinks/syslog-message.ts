import type { SinkCheckpoint, SinkEntry, SinkLog } from './ports.ts'

// Facility 13 is the log audit (RFC 5424, 6.2.1); severity 6 is informational.
const priority = `<${13 * 8 + 6}>1`
// The number of examples (RFC 5612): Portcullis has none of its own.
const structuredId = 'portcullis@32473'
const timestampPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/
// An entry ends with `"ts":"…Z","v":1}`.
const [timestampChars, afterTimestampChars] = [27, 8]

/** One entry as a frame of RFC 5425: its length, and a message of RFC 5424 whose MSG is exactly the bytes of the entry. */
export function entryFrame(of: SinkLog, { seq, entry, leaf }: SinkEntry): Buffer {
  const end = entry.length - afterTimestampChars
  const timestamp = Buffer.from(entry.subarray(Math.max(0, end - timestampChars), Math.max(0, end))).toString('latin1')
  const when = timestampPattern.test(timestamp) ? timestamp : '-'
  return frame(
    of,
    when,
    'entry',
    [
      ['seq', String(seq)],
      ['leaf', Buffer.from(leaf).toString('hex')],
    ],
    entry,
  )
}

/** A checkpoint as a frame. Its text has several lines, which receivers escape: they are joined by `\n` spelled out. */
export function checkpointFrame(checkpoint: SinkCheckpoint): Buffer {
  const text = checkpoint.note.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  return frame(checkpoint, '-', 'checkpoint', [['size', String(checkpoint.size)]], Buffer.from(text))
}

function frame(
  { log, origin }: SinkLog,
  when: string,
  messageId: string,
  more: readonly (readonly [string, string])[],
  message: Uint8Array,
): Buffer {
  const parameters = [['origin', origin] as const, ...more].map(([name, value]) => `${name}="${escaped(value)}"`)
  const host = origin.slice(0, -log.length - 1)
  const head = `${priority} ${when} ${hostName(host)} portcullis - ${messageId} [${[structuredId, ...parameters].join(' ')}] `
  const bytes = Buffer.byteLength(head) + message.length
  return Buffer.concat([Buffer.from(`${bytes} ${head}`), message])
}

/** Printable ASCII without a space, at most 255 characters; `-` for none (RFC 5424, 6). */
function hostName(host: string): string {
  return host.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, 255) || '-'
}

/** RFC 5424, 6.3.3. */
function escaped(value: string): string {
  return value.replaceAll(/["\\\]]/g, String.raw`\$&`)
}
