import { closeSync, openSync, readSync } from 'node:fs'
import { usage } from './errors.ts'

/** Reads a file or a pipe of at most `bytesMax` bytes; a problem is told as the user's to solve. */
export function readBoundedFile(path: string, bytesMax: number): string {
  const buffer = Buffer.alloc(bytesMax + 1)
  let length = 0
  try {
    const file = openSync(path, 'r')
    try {
      let count: number
      do {
        count = readSync(file, buffer, length, buffer.length - length, null)
        length += count
      } while (count > 0)
    } finally {
      closeSync(file)
    }
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw usage(`The file ${path} cannot be read (${why}).`, 'Name a file that exists and that this user may read.')
  }
  if (length > bytesMax) throw usage(`The file ${path} is larger than ${bytesMax} bytes.`, 'Name the right file.')
  return buffer.toString('utf8', 0, length)
}

/** The first line of a stream, or undefined where what comes with it is more than `bytesMax`. */
export async function readFirstLine(
  stream: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
): Promise<string | undefined> {
  const text = await readBounded(untilNewline(stream), bytesMax)
  return text?.split(/\r?\n/, 1)[0]
}

async function* untilNewline(chunks: AsyncIterable<Uint8Array | string>): AsyncIterable<Uint8Array | string> {
  for await (const chunk of chunks) {
    yield chunk
    if (Buffer.from(chunk).includes('\n')) return
  }
}

/** Joins what a stream gives, or undefined where that is more than `bytesMax`. */
export async function readBounded(
  stream: AsyncIterable<Uint8Array | string>,
  bytesMax: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += Buffer.byteLength(chunk)
    if (bytes > bytesMax) return undefined
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks).toString('utf8')
}
