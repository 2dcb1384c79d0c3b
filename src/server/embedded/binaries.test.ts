import { mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { restoreSymlinks } from './binaries.ts'

test('M1: library links that a switched-off install script did not make are made at the start', async () => {
  const root = await mkdtemp(join(tmpdir(), 'portcullis-links-'))
  try {
    await mkdir(join(root, 'native', 'lib'), { recursive: true })
    const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]
    await writeFile(join(root, 'native', 'pg-symlinks.json'), JSON.stringify(links))
    restoreSymlinks(root)
    restoreSymlinks(root)
    expect(await readlink(join(root, 'native', 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18')
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
