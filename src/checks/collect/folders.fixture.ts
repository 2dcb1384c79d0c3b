import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

/** Makes a new folder each time it is called; all of them are gone after the tests of the file. */
export function folders(): () => string {
  const base = mkdtempSync(join(tmpdir(), 'portcullis-folders-'))
  afterAll(() => rmSync(base, { recursive: true, force: true }))
  let count = 0
  return () => {
    const root = join(base, String((count += 1)))
    mkdirSync(root)
    return root
  }
}

/** Writes a file below a folder, and answers where it is. */
export function putIn(root: string, path: string, content: string | Buffer = 'x\n'): string {
  const absolute = join(root, path)
  mkdirSync(dirname(absolute), { recursive: true })
  writeFileSync(absolute, content)
  return absolute
}
