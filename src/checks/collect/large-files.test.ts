import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { windowsOf } from './large-files.ts'
import { secretFindings } from './secret-findings.ts'
import { Tree } from './tree.ts'

const mib = 1024 * 1024
const root = mkdtempSync(join(tmpdir(), 'portcullis-large-'))
const path = join(root, 'dump.sql')
beforeEach(() => {
  rmSync(root, { recursive: true })
  mkdirSync(root)
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

// Built here, so that none stands in a file of this repository.
const token = ['gh', 'p_', 'aB3cD4eF5gH6iJ7kL8mN9pQ2rS1tU0vW4xY6'].join('')
const key = [
  `-----BEGIN RSA PRIVATE`,
  ` KEY-----\n`,
  `${'MIIabcdefghijk0123456789\n'.repeat(300)}-----END RSA PRIVATE`,
  ` KEY-----\n`,
].join('')

async function found(name = 'dump.sql'): Promise<readonly string[]> {
  const { found: all, unread } = await secretFindings(await Tree.open(root))
  return [
    ...all.map(({ spot, kind }) => {
      const { line, column } = spot.file.place(spot.start)
      return `${kind} ${line}:${column}`
    }),
    ...unread.map(({ file, why }) => `${file.path === name ? '' : file.path} ${why}`),
  ]
}

describe('files that are too large to be read whole', () => {
  it('R10: are searched in windows that make up the file', () => {
    const text = `${'ä'.repeat(100)}\n`.repeat(30_000)
    writeFileSync(path, text)
    let read = ''
    for (const { file, until } of windowsOf(path, 'dump.sql')) {
      expect(file.text.length).toBeLessThan(2 * mib)
      expect(file.place(0)).toEqual({ line: read.split('\n').length, column: 1 })
      read += file.text.slice(0, until)
    }
    expect(read).toBe(text)
  })

  it.each([
    ['lines', 'insert into a values (1);\n'],
    ['one line', 'insert into a values (1); '],
    ['letters of several bytes', 'ä€'],
  ])('R10: a secret is found once wherever it stands, with its place (%s)', async (_, filler) => {
    const perMib = Math.floor(mib / Buffer.byteLength(filler))
    for (const shift of [-3, -1, 0, 1]) {
      // Around the end of the second window.
      const before = filler.repeat(2 * perMib + Math.floor((shift * 8192) / Buffer.byteLength(filler)))
      const text = `${before}\n${token}\n${before}\n${key}${filler.repeat(3 * perMib)}`
      writeFileSync(path, text)
      const lines = before.split('\n').length
      expect(await found()).toEqual([`GITHUB_TOKEN ${lines + 1}:1`, `PrivateKey ${2 * lines + 2}:1`])
    }
  })

  it('R10: what is no text, a link or gone is no crash, and source is not taken for looked at', async () => {
    writeFileSync(path, `${token}\n`)
    truncateSync(path, 5 * mib)
    expect(await found()).toEqual([])
    writeFileSync(path, `${'x'.repeat(99)}\n`.repeat(60_000))
    symlinkSync('dump.sql', join(root, 'link.sql'))
    expect(await found()).toEqual([])
    writeFileSync(join(root, 'big.ts'), '// x\n'.repeat(mib))
    expect(await found()).toEqual(['big.ts It is larger than 4194304 bytes, and nothing of it was read.'])
  })

  it('R10: a file with more beginnings than anybody reads is told', async () => {
    writeFileSync(path, `${token}\n`.repeat(150_000))
    expect(await found()).toEqual([' It has more than 1000 places that begin like a secret.'])
  })
})
