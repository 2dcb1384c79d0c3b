import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { AppendFile } from './append-file.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-append-'))
afterAll(() => rmSync(dir, { recursive: true }))

let files = 0
const fresh = (): string => join(dir, `file-${(files += 1)}`)

async function opened(path: string): Promise<AppendFile> {
  const file = await AppendFile.open(path)
  expect(await file.append(Buffer.from('first\n'))).toBeUndefined()
  return file
}

describe('a file that is only added to', () => {
  it.each([
    ['moved', (path: string) => renameSync(path, `${path}.1`)],
    ['moved', (path: string) => (renameSync(path, `${path}.1`), writeFileSync(path, ''))],
    ['deleted', (path: string) => rmSync(path)],
    ['deleted', (path: string) => (rmSync(path), writeFileSync(path, 'first\n'))],
    ['truncated', (path: string) => truncateSync(path, 3)],
    ['extended', (path: string) => appendFileSync(path, 'more\n')],
  ] as const)('L9: says that it was %s, before an addition and with it', async (change, harm) => {
    const path = fresh()
    const file = await opened(path)
    expect(await file.change()).toBeUndefined()
    harm(path)
    expect(await file.change()).toBe(change)
    expect(await file.append(Buffer.from('second\n'))).toBe(change)
    await file.close()
  })

  it('L9: is known again after it was closed, and what was done to it in the meantime', async () => {
    const path = fresh()
    const first = await opened(path)
    const { left } = first
    await first.close()
    const reopened = async (): Promise<string | undefined> => {
      const file = await AppendFile.open(path)
      await file.close()
      return file.since(left)
    }
    expect(await reopened()).toBeUndefined()
    appendFileSync(path, 'more\n')
    expect(await reopened()).toBe('extended')
    truncateSync(path, 2)
    expect(await reopened()).toBe('truncated')
    renameSync(path, `${path}.1`)
    writeFileSync(path, readFileSync(`${path}.1`))
    expect(await reopened()).toBe('deleted')
  })

  it('L9: its end can be read, as much of it as is there', async () => {
    const file = await opened(fresh())
    expect((await file.tail(4)).toString()).toBe('rst\n')
    expect((await file.tail(400)).toString()).toBe('first\n')
    await file.close()
  })
})
