import { createHash } from 'node:crypto'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

export const folderBounds = { files: 200, bytes: 1024 * 1024 } as const

export interface PolicyFile {
  /** Its name in the folder. */
  readonly name: string
  readonly text: string
}

/** What is wrong in a folder of policies, and where. */
export interface PolicyProblem {
  /** Of the folder, or of the whole folder where it is empty. */
  readonly file: string
  /** From 1; 0 where the file as a whole is meant. */
  readonly line: number
  readonly message: string
}

export type FolderRead =
  | { readonly ok: true; readonly files: readonly PolicyFile[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/** Every `*.cedar` file of the folder, not of those in it, in the order of their names. Bounded in number and bytes. */
export async function readPolicyFolder(dir: string): Promise<FolderRead> {
  const names = await namesIn(dir).catch((error: unknown) => `the folder ${dir} cannot be read: ${textOf(error)}`)
  if (typeof names === 'string') return broken('', names)
  if (names.length === 0) return broken('', `${dir} has no *.cedar file, and without policies every call is denied`)
  if (names.length > folderBounds.files) return broken('', `${names.length} files; at most ${folderBounds.files}`)
  const files: PolicyFile[] = []
  let bytesLeft = folderBounds.bytes
  for (const name of names) {
    const read = await readBounded(join(dir, name), bytesLeft).catch((error: unknown) => textOf(error))
    if (typeof read === 'string') return broken(name, read)
    bytesLeft -= read.length
    const text = utf8Of(read)
    if (text === undefined) return broken(name, 'this is not UTF-8 text')
    files.push({ name, text })
  }
  return { ok: true, files }
}

/** Changes when a file of the folder does: names, sizes, times. Undefined while the folder cannot be looked at. */
export async function folderMark(dir: string): Promise<string | undefined> {
  try {
    const names = (await namesIn(dir)).slice(0, folderBounds.files + 1)
    const stats = await Promise.all(names.map((name) => stat(join(dir, name))))
    return JSON.stringify(stats.map(({ ino, mtimeMs, size }, at) => [names[at], ino, mtimeMs, size]))
  } catch {
    return undefined
  }
}

/** Names the content of a set of policies: SHA-256, hexadecimal. */
export function digestOf(files: readonly PolicyFile[]): string {
  const text = JSON.stringify(files.map(({ name, text: content }) => [name, content]))
  return createHash('sha256').update(text).digest('hex')
}

async function namesIn(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir)
  return names.filter((name) => name.endsWith('.cedar') && !name.startsWith('.')).toSorted()
}

async function readBounded(file: string, bytesMax: number): Promise<Buffer | string> {
  const handle = await open(file)
  try {
    if (!(await handle.stat()).isFile()) return 'this is not a file'
    const buffer = Buffer.alloc(bytesMax + 1)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0)
    if (bytesRead > bytesMax) return `the files together have more than ${folderBounds.bytes} bytes`
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

function utf8Of(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function broken(file: string, message: string): FolderRead {
  return { ok: false, problems: [{ file, line: 0, message }] }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
