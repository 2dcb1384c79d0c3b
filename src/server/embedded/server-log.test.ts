import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openServerLog, tailOf } from './server-log.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-log-'))
  path = join(folder, 'postgres.log')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

test('M1: a log past 10 MiB is set aside when the server starts', async () => {
  await writeFile(path, '')
  await truncate(path, 10 * 1024 * 1024 + 1)
  const log = await openServerLog(path)
  await log.handle.close()
  expect(log.offset).toBe(0)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(`${path}.1`)).size).toBe(10 * 1024 * 1024 + 1)
})

test('M1: the tail of the log holds the last lines of this launch only', async () => {
  await writeFile(path, 'of an earlier launch\n')
  const log = await openServerLog(path)
  await log.handle.write(Array.from({ length: 20 }, (_, line) => `line ${line}\n`).join(''))
  await log.handle.close()
  const shown = (await tailOf(log)).split('\n')
  expect(shown).toHaveLength(15)
  expect(shown[0]).toBe('line 5')
  expect(shown.at(-1)).toBe('line 19')
})
