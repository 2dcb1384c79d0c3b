import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { StartError } from '../start-error.ts'
import { embeddedHome } from './home.ts'

let parent: string
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'portcullis-home-'))
})
afterAll(() => rm(parent, { recursive: true }))

it('M1: a file in the place of the folder is an error of whoever names it, and not a fault', async () => {
  const file = join(parent, 'file')
  await writeFile(file, '')
  expect(() => embeddedHome(file)).toThrow(StartError)
  expect(() => embeddedHome(file)).toThrow(`${file} is not a folder`)
})
