import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync, symlinkSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { folders, putIn } from './folders.fixture.ts'
import { isReadable } from './source-file.ts'
import { mayMatchBelow, NotJudgeable, Tree } from './tree.ts'
import { workflows } from './workflows/workflows.ts'

const newRoot = folders()
let root = ''
beforeEach(() => {
  root = newRoot()
})

const put = (path: string, content?: string | Buffer): string => putIn(root, path, content)
const paths = (tree: Tree): readonly string[] => tree.files.map(({ path }) => path)
async function why(tree: Tree, path: string): Promise<string> {
  const found = tree.files.find((file) => file.path === path)
  if (found === undefined) return 'not there'
  const parsed = await tree.read(found)
  return isReadable(parsed) ? parsed.value.text : parsed.unreadable.why
}

describe('Tree', () => {
  it('V10: an empty folder has no files', async () => {
    expect(paths(await Tree.open(root))).toEqual([])
  })

  it('V10: workflows are there whatever .gitignore says: once in the repository they run', async () => {
    put('.github/workflows/a.yml', 'on: push')
    put('src/a.yml', 'a')
    put('.gitignore', '*.yml\n.github/\n.github/workflows/\n')
    expect(paths(await Tree.open(root))).toEqual(['.github/workflows/a.yml', '.gitignore'])
  })

  it('V10: a .gitignore that would take hours to apply excludes less, never more', async () => {
    put(`${'abc'.repeat(60)}.log`, 'x')
    put('a.log', 'x')
    put('.gitignore', `*.log\n!*a*b*c*\n`)
    expect(paths(await Tree.open(root))).toHaveLength(3)
    put('.gitignore', `${'*a*b*c*1\n'.repeat(1000)}*.log\n`)
    expect(paths(await Tree.open(root))).toEqual(['.gitignore'])
    put('.gitignore', '*.log\n'.repeat(3000))
    expect(paths(await Tree.open(root))).toHaveLength(3)
  })

  it('V10: what .gitignore excludes and what tools bring is not there; the nearest rule wins', async () => {
    for (const path of ['a.log', 'keep.log', 'src/b.log', 'src/c.ts', 'out/d.ts', 'node_modules/e.js', '.git/config'])
      put(path)
    put('.gitignore', '*.log\n!keep.log\nout/\n')
    put('src/.gitignore', '!b.log\n')
    expect(paths(await Tree.open(root))).toEqual(['.gitignore', 'keep.log', 'src/.gitignore', 'src/b.log', 'src/c.ts'])
  })

  it('V10: a pattern made to take for ever excludes nothing', async () => {
    put('.gitignore', `${'*a'.repeat(12)}b\n`)
    put('a'.repeat(200))
    expect(paths(await Tree.open(root))).toHaveLength(2)
  })

  it('V10: links, loops of links, pipes and sockets are not followed', async () => {
    put('a.yml')
    symlinkSync('..', join(root, 'loop'))
    symlinkSync('a.yml', join(root, 'b.yml'))
    symlinkSync('/etc', join(root, 'etc'))
    execFileSync('mkfifo', [join(root, 'pipe.yml'), join(root, '.gitignore')])
    expect(paths(await Tree.open(root))).toEqual(['a.yml'])
  })

  it('V10: a file that cannot be read as text says why', async () => {
    put('binary', Buffer.from([1, 0, 2]))
    put('latin1', Buffer.from([0x61, 0xe9]))
    truncateSync(put('huge.yml'), 50 * 1024 * 1024)
    put('bom.yml', '\uFEFFa: 1\r\n')
    put('gone.yml')
    const tree = await Tree.open(root)
    rmSync(join(root, 'gone.yml'))
    const said = await Promise.all(
      ['binary', 'latin1', 'huge.yml', 'gone.yml', 'bom.yml'].map((path) => why(tree, path)),
    )
    expect(said).toEqual([
      'It is a binary file.',
      'It is not UTF-8.',
      'It is larger than 4194304 bytes, and nothing of it was read.',
      'It could not be read: ENOENT.',
      'a: 1\r\n',
    ])
  })

  it('V10: a file that grew, shrank or became a link since it was found is read as it is, or not at all', async () => {
    for (const path of ['grew', 'shrank', 'link']) put(path, 'x'.repeat(100))
    const tree = await Tree.open(root)
    put('grew', 'y'.repeat(20_000))
    truncateSync(join(root, 'shrank'), 3)
    rmSync(join(root, 'link'))
    symlinkSync('grew', join(root, 'link'))
    expect([(await why(tree, 'grew')).length, await why(tree, 'shrank'), await why(tree, 'link')]).toEqual([
      20_000,
      'xxx',
      'It could not be read: ELOOP.',
    ])
  })

  it.skipIf(process.getuid?.() === 0)(
    'V1: a folder and a file that may not be read are facts, not crashes',
    async () => {
      put('.github/workflows/ci.yml')
      chmodSync(put('a.yml'), 0)
      chmodSync(join(root, '.github/workflows'), 0)
      const tree = await Tree.open(root)
      expect(await why(tree, 'a.yml')).toBe('It could not be read: EACCES.')
      expect(await workflows(tree)).toMatchObject([
        { unreadable: { why: 'This folder could not be looked into: EACCES.' } },
      ])
      chmodSync(join(root, '.github/workflows'), 0o700)
    },
  )

  it('V10: file names may hold anything', async () => {
    put('a\nb\u0007\u202e.yml', 'text')
    const tree = await Tree.open(root)
    expect(await why(tree, 'a\nb\u0007\u202e.yml')).toBe('text')
  })

  it.each([
    ['the repository', '.', '.github/workflows/ci.yml'],
    ['.github', '.github', '.github/workflows/ci.yml'],
    ['its workflows', '.github/workflows', '.github/workflows/ci.yml'],
    ['a workflow', '.github/workflows/ci.yml', '.github/workflows/ci.yml'],
  ])('V6: a workflow is one wherever the look begins: %s', async (_, named, path) => {
    put('.github/workflows/ci.yml', 'on: push\njobs: {}\n')
    const tree = await Tree.open(join(root, named))
    expect(paths(tree)).toEqual([path])
    expect(await why(tree, path)).toBe('on: push\njobs: {}\n')
  })

  it('V6: what is no file and what is not there is refused', async () => {
    await expect(Tree.open('/dev/null')).rejects.toThrow(NotJudgeable)
    await expect(Tree.open(join(root, 'nothing'))).rejects.toThrow(/ENOENT/)
  })

  it.each([
    [/^\.github\/workflows\/[^/]+\.ya?ml$/i, '.github', true],
    [/^\.github\/workflows\/[^/]+\.ya?ml$/i, '.GitHub/workflows', true],
    [/^\.github\/workflows\/[^/]+\.ya?ml$/i, 'data', false],
    [/(?:^|\/)Dockerfile$/, 'data', true],
    [/^data\/a|^b$/, 'c', true],
    [/^a*b/, 'c', true],
  ])('V1: whether a closed folder may hold %s: %s', (pattern, folder, may) => {
    expect(mayMatchBelow(pattern, folder)).toBe(may)
  })
})
