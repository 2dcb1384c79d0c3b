import { createHash } from 'node:crypto'
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

export interface CopiedFile {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

const chunkBytes = 1024 * 1024
// A disk takes many small files at once as fast as one.
const lanes = 16

/** Does the work for each item, some at a time; rejects with the first failure once none is under way. */
export async function forEach<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item)
  }
  const done = await Promise.allSettled(Array.from({ length: Math.min(lanes, items.length) }, lane))
  const failed = done.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Copies one file and hashes what was written; private to its owner, on disk when it resolves. */
export async function copyFile(from: string, to: string): Promise<Omit<CopiedFile, 'path'>> {
  const source = await open(from, 'r')
  try {
    return await write(to, (buffer, at) => read(source, buffer, at))
  } finally {
    await source.close()
  }
}

export async function writeWhole(text: Uint8Array, to: string): Promise<Omit<CopiedFile, 'path'>> {
  return write(to, async (buffer, at) => text.subarray(at, at + buffer.length))
}

async function read(source: FileHandle, buffer: Buffer, at: number): Promise<Uint8Array> {
  const { bytesRead } = await source.read(buffer, 0, buffer.length, at)
  return buffer.subarray(0, bytesRead)
}

async function write(
  to: string,
  next: (buffer: Buffer, at: number) => Promise<Uint8Array>,
): Promise<Omit<CopiedFile, 'path'>> {
  const hash = createHash('sha256')
  const target = await open(to, 'wx', 0o600)
  try {
    const buffer = Buffer.allocUnsafe(chunkBytes)
    let bytes = 0
    for (let part = await next(buffer, 0); part.length > 0; part = await next(buffer, bytes)) {
      hash.update(part)
      await target.writeFile(part)
      bytes += part.length
    }
    await target.sync()
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    await target.close()
  }
}

/** Folders and files below a folder, by their paths in it; `skip` leaves out a path, and of a folder what is in it. */
export async function listTree(
  root: string,
  skip: (path: string) => boolean,
): Promise<{ readonly folders: readonly string[]; readonly files: readonly string[] }> {
  const [folders, files]: [string[], string[]] = [[], []]
  const waiting = ['']
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of await readdir(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        folders.push(path)
        if (!skip(path)) waiting.push(path)
      } else if (entry.isFile() && !skip(path)) files.push(path)
    }
  }
  return { folders: folders.toSorted(), files: files.toSorted() }
}
