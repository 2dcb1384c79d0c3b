import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { folders, putIn } from './folders.fixture.ts'
import { secretFindings } from './secret-findings.ts'
import { Tree } from './tree.ts'

const newRoot = folders()
const home = newRoot()
let root = ''
beforeEach(() => {
  root = newRoot()
})

const put = (path: string, content?: string | Buffer): string => putIn(root, path, content)
function git(...args: readonly string[]): void {
  const env = { PATH: process.env['PATH'], HOME: home, GIT_CONFIG_NOSYSTEM: '1' }
  execFileSync('git', ['-C', root, ...args], { env, stdio: 'ignore' })
}
async function paths(folder = '.'): Promise<readonly string[]> {
  return (await Tree.open(join(root, folder))).files.map(({ path }) => path)
}
function committed(...init: readonly string[]): void {
  git('init', '-q', ...init)
  put('.gitignore', '.env\n*.pem\nout/\n')
  for (const path of ['.env', 'src/a.ts', 'out/deep/key.txt', 'out/not-added.txt', 'service/.env', 'ä/b.pem']) put(path)
  git('add', '.gitignore', 'src/a.ts')
  git('add', '-f', '.env', 'out/deep/key.txt', 'service/.env', 'ä/b.pem')
}
const everything = ['.env', '.gitignore', 'out/deep/key.txt', 'service/.env', 'src/a.ts', 'ä/b.pem']
async function unread(): Promise<readonly string[]> {
  const found = await secretFindings(await Tree.open(root))
  return found.unread.map(({ file, why }) => `${file.path}: ${why}`)
}

describe('the index of git', () => {
  it.each([
    ['version 2', [], ['--index-version', '2']],
    ['version 4', [], ['--index-version', '4']],
    ['SHA-256', ['--object-format=sha256'], ['--index-version', '2']],
    ['SHA-256 and version 4', ['--object-format=sha256'], ['--index-version', '4']],
  ])('R10: what is tracked is looked at although .gitignore names it: %s', async (_, init, update) => {
    committed(...init)
    git('update-index', ...update)
    expect(await paths()).toEqual(everything)
  })

  it('R10: also with flags of version 3, in a shared index, and where only a folder of the repository is named', async () => {
    committed()
    git('add', '--intent-to-add', '-f', 'out/not-added.txt')
    expect(await paths()).toContain('out/not-added.txt')
    git('update-index', '--split-index')
    put('later.pem')
    git('add', '-f', 'later.pem')
    expect(await paths()).toEqual([...everything, 'later.pem', 'out/not-added.txt'].toSorted())
    put('service/.gitignore', '.env\n')
    expect(await paths('service')).toEqual(['.env', '.gitignore'])
  })

  it('R10: also in a second work tree and in a repository inside the folder', async () => {
    committed()
    git('-c', 'user.name=a', '-c', 'user.email=a@example.org', 'commit', '-qm', 'a')
    git('worktree', 'add', '-q', '--detach', join(root, '../second'))
    expect((await Tree.open(join(root, '../second'))).files.map(({ path }) => path)).toEqual(everything)
    expect((await Tree.open(dirname(root))).files.map(({ path }) => path)).toContain('second/out/deep/key.txt')
  })

  it('V10: what git does not track stays excluded, and what is gone or became a link is not there', async () => {
    committed()
    rmSync(join(root, '.env'))
    rmSync(join(root, 'ä'), { recursive: true })
    symlinkSync('src', join(root, 'ä'))
    put('src/b.pem')
    rmSync(join(root, 'service/.env'))
    symlinkSync('/etc/passwd', join(root, 'service/.env'))
    put('out/node_modules/a.js')
    git('add', '-f', 'out/node_modules/a.js')
    expect(await paths()).toEqual(['.gitignore', 'out/deep/key.txt', 'src/a.ts'])
  })

  it('R10: an index that cannot be read is told where .gitignore excludes something, and only there', async () => {
    committed()
    const index = readFileSync(join(root, '.git/index'))
    const told = [
      '.git/index: Which of the files that .gitignore names git tracks is not known. It is no index of version 2, 3 or 4.',
    ]
    for (const broken of [index.subarray(0, 200), Buffer.alloc(300), Buffer.concat([index, index]), Buffer.alloc(0)]) {
      put('.git/index', broken)
      expect(await unread()).toEqual(told)
      expect(await paths()).toEqual(['.gitignore', 'src/a.ts'])
    }
    rmSync(join(root, '.git/index'))
    expect(await unread()).toEqual([])
    rmSync(join(root, '.git'), { recursive: true })
    put('.git', 'gitdir: /nowhere\n')
    expect(await unread()).toEqual([expect.stringMatching(/^\.git\/index: .* It could not be read: ENOENT\.$/)])
    put('.gitignore', '')
    expect(await unread()).toEqual([])
  })

  it('V10: no index takes the look out of the folder, or for ever', async () => {
    put('.gitignore', 'a\n')
    put('a')
    put('../outside')
    const entry = (name: string): Buffer => {
      const head = Buffer.alloc(62)
      head.writeUInt32BE(0o100644, 24)
      const bytes = Buffer.from(name)
      return Buffer.concat([head, bytes, Buffer.alloc(8 - ((62 + bytes.length) % 8))])
    }
    const indexOf = (version: number, entries: readonly Buffer[], said = entries.length): Buffer => {
      const head = Buffer.from('DIRC\0\0\0\0\0\0\0\0', 'latin1')
      head.writeUInt32BE(version, 4)
      head.writeUInt32BE(said, 8)
      return Buffer.concat([head, ...entries, Buffer.alloc(20)])
    }
    put('.git/index', indexOf(2, ['../outside', './a', '.git/index', '/etc/passwd', 'a'].map(entry)))
    expect(await paths()).toEqual(['.gitignore', 'a'])
    put('.git/index', indexOf(2, [entry('a')], 0xffffffff))
    expect(await paths()).toEqual(['.gitignore'])
    const long = Buffer.concat([Buffer.alloc(62), Buffer.from([0]), Buffer.from(`${'a'.repeat(4000)}\0`)])
    const same = Buffer.concat([Buffer.alloc(62), Buffer.from([0]), Buffer.from('b\0')])
    for (const each of [long, same]) each.writeUInt32BE(0o100644, 24)
    put('.git/index', indexOf(4, [long, ...Array.from({ length: 60_000 }, () => same)]))
    expect(await unread()).toHaveLength(1)
  })
})
