import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { SecretFile } from './secret-file.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-secret-file-'))
afterAll(() => rmSync(dir, { recursive: true }))

it('S5: a secret in a file is read again once the file has changed, in place or by a new file in its place', async () => {
  const path = join(dir, 'rotated')
  writeFileSync(path, 'first\n')
  const file = new SecretFile(path)
  const first = await file.read()
  expect(first.reveal()).toBe('first')
  expect(await file.read()).toBe(first)
  writeFileSync(path, '  second \r\n')
  expect((await file.read()).reveal()).toBe('second')
  // A file of the same length and times, renamed into place, as deployment tools do.
  const next = join(dir, 'next')
  writeFileSync(next, '  thirdd \r\n')
  utimesSync(next, 1, 1)
  utimesSync(path, 1, 1)
  renameSync(next, path)
  expect((await file.read()).reveal()).toBe('thirdd')
})

it('S5: a file that is gone, empty or huge is an error that shows neither path nor content', async () => {
  const path = join(dir, 'broken')
  const file = new SecretFile(path)
  await expect(file.read()).rejects.toThrow(/ENOENT.*put it back/)
  writeFileSync(path, ' \n')
  await expect(file.read()).rejects.toThrow(/empty/)
  writeFileSync(path, 's'.repeat(70_000))
  await expect(file.read()).rejects.toThrow(/larger than/)
  await expect(file.read()).rejects.not.toThrow(new RegExp(`${dir}|ssss`))
  writeFileSync(path, 'back')
  expect((await file.read()).reveal()).toBe('back')
})
