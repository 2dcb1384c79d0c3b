import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isReadable } from '../source-file.ts'
import { NotSettings, openConfig } from './config-context.ts'

const now = new Date(0)
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-config-'))
})
afterAll(async () => rm(folder, { recursive: true, force: true }))

it('V1: a settings file keeps the path that it was named by, and its byte-order mark', async () => {
  const path = join(folder, 'p.yaml')
  await writeFile(path, '\uFEFFlisten: {}\n')
  const { file } = await openConfig({ path, env: {}, now })
  expect(file.file.path).toBe(path)
  expect(isReadable(file) ? [file.value.text, file.value.byteOrderMark] : undefined).toEqual(['listen: {}\n', true])
})

it('V1: a file that is no text is a fact with its path', async () => {
  const path = join(folder, 'p.bin')
  await writeFile(path, Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]))
  const { file } = await openConfig({ path, env: {}, now })
  expect(isReadable(file)).toBe(false)
  expect(file.file.path).toBe(path)
})

it('V1: a folder is no settings file, and one that is not there is an error', async () => {
  await expect(openConfig({ path: folder, env: {}, now })).rejects.toThrow(NotSettings)
  await expect(openConfig({ path: join(folder, 'no'), env: {}, now })).rejects.toThrow('ENOENT')
})
