import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { generateEncryptionKey, readEncryptionKey } from './encryption-key.ts'

/** The master keys of a file, in its order. */
export interface MasterKey {
  /** Comes from the key itself, so that a key cannot pass under another one's name; says nothing about it. */
  readonly id: string
  readonly key: Buffer
  /** Known for unwrapping, and not used for wrapping until it is promoted. */
  readonly prepared: boolean
}

/** A key file that cannot be used; says where and what to do, and nothing of a key. */
export class KeyFileError extends Error {
  constructor(file: string, why: string, cause?: unknown) {
    super(`the key file ${basename(file)}: ${why}`, { cause })
    this.name = 'KeyFileError'
  }
}

const fileBytesMax = 64 * 1024
const preparedMark = 'next '

export function masterKeyId(key: Uint8Array): string {
  const digest = createHash('sha256').update('portcullis master key id\0').update(key).digest('hex')
  return `file:${digest.slice(0, 16)}`
}

/**
 * Reads a file of master keys: one in each line, base64 or hexadecimal, the newest last; `next ` before one that is prepared. A file
 * of 32 raw bytes is one key. @throws KeyFileError
 */
export function readKeyFile(file: string): readonly MasterKey[] {
  return parseKeys(file, readBounded(file))
}

/** Adds a key at the end. @throws KeyFileError */
export function addKey(file: string, { prepared }: { readonly prepared: boolean }): MasterKey {
  const key = generateEncryptionKey()
  const text = key.toString('base64')
  const before = lines(file)
  writeKeys(file, [...before, prepared ? preparedMark + text : text])
  return { id: masterKeyId(key), key, prepared }
}

/** Makes the keys that were prepared ordinary ones; the last of them wraps from now on. @throws KeyFileError */
export function promoteKeys(file: string): void {
  writeKeys(
    file,
    lines(file).map((line) => (line.startsWith(preparedMark) ? line.slice(preparedMark.length) : line)),
  )
}

/** Makes a file with one new key, readable to its owner alone; never overwrites. */
export function createKeyFile(file: string): MasterKey {
  const key = generateEncryptionKey()
  try {
    writeNew(file, `${key.toString('base64')}\n`)
  } catch (error) {
    const exists = codeOf(error) === 'EEXIST'
    const why = exists
      ? 'it is there already and is not overwritten: what its keys protect would be lost; name another file'
      : `it cannot be written (${codeOf(error)}); name a file in a folder that is there and that this user may write to`
    throw new KeyFileError(file, why, error)
  }
  return { id: masterKeyId(key), key, prepared: false }
}

function parseKeys(file: string, bytes: Buffer): readonly MasterKey[] {
  const raw = bytes.length === 32 ? readEncryptionKey(bytes) : undefined
  if (raw?.ok) return [{ id: masterKeyId(raw.key), key: raw.key, prepared: false }]
  const keys: MasterKey[] = []
  for (const [index, line] of bytes.toString('utf8').split(/\r?\n/).entries()) {
    const text = line.trim()
    if (text === '' || text.startsWith('#')) continue
    const prepared = text.startsWith(preparedMark)
    const read = readEncryptionKey(prepared ? text.slice(preparedMark.length).trim() : text)
    if (!read.ok) throw new KeyFileError(file, `line ${index + 1}: ${read.why}`)
    const id = masterKeyId(read.key)
    if (keys.some((one) => one.id === id))
      throw new KeyFileError(file, `line ${index + 1} holds a key for the second time: remove it`)
    keys.push({ id, key: read.key, prepared })
  }
  if (keys.every(({ prepared }) => prepared))
    throw new KeyFileError(
      file,
      'it holds no key to wrap with: make one with `portcullis secrets generate-key --out FILE`',
    )
  return keys
}

function lines(file: string): readonly string[] {
  const bytes = readBounded(file)
  const [only] = parseKeys(file, bytes)
  // A raw key becomes a line of text, so that another one can stand below it.
  if (only !== undefined && bytes.length === 32 && readEncryptionKey(bytes).ok) return [only.key.toString('base64')]
  return bytes.toString('utf8').trimEnd().split(/\r?\n/)
}

function readBounded(file: string): Buffer {
  try {
    if (!statSync(file).isFile()) throw new KeyFileError(file, 'it is not a regular file: name one that is')
    const descriptor = openSync(file, 'r')
    try {
      const buffer = Buffer.alloc(fileBytesMax + 1)
      const read = readSync(descriptor, buffer, 0, buffer.length, 0)
      if (read > fileBytesMax) throw new KeyFileError(file, `it has more than ${fileBytesMax} bytes: it is no key file`)
      return buffer.subarray(0, read)
    } finally {
      closeSync(descriptor)
    }
  } catch (error) {
    if (error instanceof KeyFileError) throw error
    const todo = 'name a key file that this user can read, or restore it from its backup'
    throw new KeyFileError(file, `it cannot be read (${codeOf(error)}); ${todo}`, error)
  }
}

/** After a crash the old or the new content is there. */
function writeKeys(file: string, text: readonly string[]): void {
  const temporary = `${file}.${randomBytes(4).toString('hex')}`
  try {
    const { mode } = statSync(file)
    writeNew(temporary, `${text.join('\n')}\n`, mode & 0o600)
    replace(temporary, file)
    syncFolder(dirname(file))
  } catch (error) {
    const todo = 'run this as its owner, where its folder can be written, or add the key to it by hand'
    throw new KeyFileError(file, `it cannot be replaced (${codeOf(error)}); ${todo}`, error)
  }
}

function replace(temporary: string, file: string): void {
  try {
    renameSync(temporary, file)
  } catch (error) {
    // It holds keys. A file that is mounted by itself cannot be replaced.
    rmSync(temporary, { force: true })
    throw error
  }
}

function writeNew(file: string, text: string, mode = 0o600): void {
  const descriptor = openSync(file, 'wx', mode)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
}
