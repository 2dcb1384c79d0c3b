import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'

export type FileRead =
  { readonly ok: true; readonly text: string; readonly mode: number } | { readonly ok: false; readonly why: string }

/** Reads a UTF-8 file of at most `bytesMax` bytes. What it says on failure holds neither path nor content. */
export function readTextFile(path: string, bytesMax: number): FileRead {
  try {
    // Asked before opening, because opening a pipe waits for its other end.
    if (!statSync(path).isFile()) return { ok: false, why: 'It is not a regular file.' }
    const descriptor = openSync(path, 'r')
    try {
      return readOpened(descriptor, bytesMax)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    return { ok: false, why: whyNot(cause) }
  }
}

/** Decodes UTF-8 and keeps a byte-order mark, so that the reader can complain about it; undefined where it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function readOpened(descriptor: number, bytesMax: number): FileRead {
  const { mode } = fstatSync(descriptor)
  const buffer = Buffer.alloc(bytesMax + 1)
  let length = 0
  for (;;) {
    const read = readSync(descriptor, buffer, length, buffer.length - length, null)
    length += read
    if (length > bytesMax) return { ok: false, why: `It is larger than ${bytesMax} bytes.` }
    if (read === 0) break
  }
  const text = decodeUtf8(buffer.subarray(0, length))
  return text === undefined ? { ok: false, why: 'It is not UTF-8 text.' } : { ok: true, text, mode }
}

function whyNot(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault'
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'There is no such file.'
  if (code === 'EACCES' || code === 'EPERM') return 'This user may not read the file.'
  return `The file cannot be read (${code}).`
}
