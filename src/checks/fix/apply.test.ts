import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { repoCheck, type Check, type Control } from '../check.ts'
import { isReadable } from '../collect/source-file.ts'
import { Tree } from '../collect/tree.ts'
import { workflows } from '../collect/workflows/workflows.ts'
import { failing, type Fix } from '../evidence.ts'
import { runChecks, withFindings, type Result } from '../run.ts'
import { applyFixes, type Fixed } from './apply.ts'
import { setEntry } from './edits.ts'

const base = mkdtempSync(join(tmpdir(), 'portcullis-apply-'))
const path = '.github/workflows/ci.yml'
let root = ''
let count = 0
afterAll(() => rmSync(base, { recursive: true, force: true }))
beforeEach(() => {
  root = join(base, String((count += 1)))
  mkdirSync(join(root, dirname(path)), { recursive: true })
})

// Every step lacks a name; the second check wants a shell at the same place, the third writes nonsense.
const named = check('X01', 'safe', (node) => setEntry(node, ['name'], 'n'))
const shelled = check('X02', 'safe', (node) => setEntry(node, ['shell'], 'bash'))
const risky = check('X03', 'unsafe', (node) => setEntry(node, ['if'], 'always()'))
const nonsense = check('X04', 'safe', (node) => [{ path, start: node.start, end: node.start, text: '[' }])

function check(
  id: string,
  safety: Fix['safety'],
  edits: (node: Parameters<typeof setEntry>[0]) => Fix['edits'],
): Check {
  return repoCheck({
    id,
    title: id,
    needs: { workflows },
    judge: ({ workflows: files }) =>
      files.flatMap((parsed) =>
        isReadable(parsed)
          ? parsed.value.jobs.flatMap((job) =>
              job.steps.map(({ node }) =>
                failing(node, 'It lacks something.', {
                  fix: {
                    safety,
                    description: `Mend ${id}`,
                    edits: edits(node),
                    ...(safety === 'unsafe' ? { risk: 'It may run too often.' } : {}),
                  },
                }),
              ),
            )
          : [],
      ),
  })
}

async function judge(
  ...checks: readonly Check[]
): Promise<{ readonly tree: Tree; readonly results: readonly Result[] }> {
  const control: Control = {
    id: 'x.y',
    title: 'x',
    severity: 'low',
    why: '',
    remediation: '',
    references: [],
    rows: [],
    checks,
  }
  const tree = await Tree.open(root)
  return { tree, results: await runChecks({ contexts: { repo: tree }, controls: [control] }) }
}
const write = (text: string): void => writeFileSync(join(root, path), text)
const read = (): string => readFileSync(join(root, path), 'utf8')
const workflow = (...steps: readonly string[]): string =>
  `on: push\njobs:\n  a:\n    steps:\n${steps.map((step) => `      - ${step}\n`).join('')}`
const whys = ({ left }: Fixed): readonly string[] => left.map(({ check: id, why }) => `${id} ${why}`)

describe('applyFixes', () => {
  it('V2: writes what is safe and nothing else: line ends, byte-order mark, mode and comments stay', async () => {
    write(`\uFEFF${workflow('run: a # why', 'run: b').replaceAll('\n', '\r\n')}`)
    chmodSync(join(root, path), 0o751)
    const { tree, results } = await judge(named, risky)
    const fixed = await applyFixes(tree, results, 'safe')
    expect(read()).toBe(
      `\uFEFF${workflow('run: a # why\n        name: n', 'run: b\n        name: n').replaceAll('\n', '\r\n')}`,
    )
    expect(statSync(join(root, path)).mode & 0o777).toBe(0o751)
    expect([fixed.paths, fixed.done.length, whys(fixed)[0]]).toEqual([
      [path],
      2,
      'X03 It may break something: --fix=unsafe makes it.',
    ])
    expect(readdirSync(join(root, dirname(path)))).toEqual(['ci.yml'])
  })

  it('V2: of two at the same place the first wins, and another run makes the second', async () => {
    write(workflow('run: a'))
    const first = await judge(named, shelled)
    expect(whys(await applyFixes(first.tree, first.results, 'safe'))).toEqual([
      'X02 Another fix changes the same place: run it once more.',
    ])
    const second = await judge(shelled)
    await applyFixes(second.tree, second.results, 'safe')
    expect(read()).toBe(workflow('run: a\n        name: n\n        shell: bash'))
  })

  it('V2: --fix=unsafe makes them all', async () => {
    write(workflow('run: a'))
    const { tree, results } = await judge(risky)
    expect((await applyFixes(tree, results, 'unsafe')).done[0]?.fix.risk).toBe('It may run too often.')
    expect(read()).toContain('if: always()')
  })

  it('V2: an edit to what an anchor shares is safe only where every use of it is at fault', async () => {
    const anchored = `on: push\njobs:\n  a:\n    steps:\n      - &s\n        run: a\n      - *s\n`
    write(anchored)
    const all = await judge(named)
    expect((await applyFixes(all.tree, all.results, 'safe')).done).toHaveLength(1)
    expect(read()).toBe(anchored.replace('run: a\n', 'run: a\n        name: n\n'))
    // The second use is not a step: nothing says that it is at fault.
    write(`${anchored.replace('      - *s\n', '')}extra: *s\n`)
    const some = await judge(named)
    const fixed = await applyFixes(some.tree, some.results, 'safe')
    expect([fixed.done, whys(fixed)]).toEqual([[], ['X01 It may break something: --fix=unsafe makes it.']])
    expect(fixed.left[0]?.fix.risk).toMatch(/changes 2 places at once/)
  })

  it('V4: what is waived is left alone', async () => {
    write(workflow('run: a'))
    const { tree, results } = await judge(named)
    const waived = results.map((each) =>
      withFindings(
        each,
        each.evidence.map((one) => ({ ...one, outcome: 'WAIVED' as const })),
      ),
    )
    expect(await applyFixes(tree, waived, 'safe')).toEqual({ done: [], left: [], paths: [] })
  })

  it('V2: a fix that would break the file is not made, and the others of that file neither', async () => {
    write(workflow('run: a'))
    const { tree, results } = await judge(nonsense)
    expect(whys(await applyFixes(tree, results, 'safe'))).toEqual([
      'X04 The file could not be read any more after the fix.',
    ])
    expect(read()).toBe(workflow('run: a'))
  })

  it('V2: a file that changed since it was judged, or became a link, is not written', async () => {
    write(workflow('run: a'))
    const changed = await judge(named)
    write(workflow('run: b'))
    expect(whys(await applyFixes(changed.tree, changed.results, 'safe'))).toEqual([
      'X01 The file was changed since it was judged: run it once more.',
    ])
    const linked = await judge(named)
    writeFileSync(join(root, 'other.yml'), workflow('run: b'))
    rmSync(join(root, path))
    symlinkSync(join(root, 'other.yml'), join(root, path))
    expect(whys(await applyFixes(linked.tree, linked.results, 'safe'))).toEqual(['X01 The file is a symbolic link.'])
    expect(readFileSync(join(root, 'other.yml'), 'utf8')).toBe(workflow('run: b'))
  })

  it('V2: nothing is written into a folder that became a link', async () => {
    write(workflow('run: a'))
    const { tree, results } = await judge(named)
    const moved = join(base, `moved-${count}`)
    mkdirSync(moved)
    writeFileSync(join(moved, 'ci.yml'), workflow('run: a'))
    rmSync(join(root, dirname(path)), { recursive: true })
    symlinkSync(moved, join(root, dirname(path)))
    expect(whys(await applyFixes(tree, results, 'safe'))).toEqual(['X01 The file lies behind a symbolic link.'])
    expect(readFileSync(join(moved, 'ci.yml'), 'utf8')).toBe(workflow('run: a'))
  })
})
