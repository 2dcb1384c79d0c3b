import { parseAllDocuments } from 'yaml'
import { describe, expect, it } from 'vitest'
import { judged } from './checks.fixture.ts'
import { controls } from './controls/index.ts'
import type { Edit } from './evidence.ts'
import type { Finding } from './fingerprint.ts'
import type { Result } from './run.ts'
import { fileCases } from './variants-files.fixture.ts'
import { moved, variantsOf, type Variant } from './variants-rewritten.fixture.ts'
import { workflowCases } from './variants-workflows.fixture.ts'
import type { Cases, Files } from './variants.fixture.ts'

const cases: Readonly<Record<string, Cases>> = { ...workflowCases, ...fileCases }
const rows = Object.entries(cases).toSorted(([a], [b]) => a.localeCompare(b))

/** A fault, what the check says about it, and what it says about each way to write it. */
interface Judged {
  readonly files: Files
  readonly before: Result
  readonly variants: readonly { readonly variant: Variant; readonly after: Result }[]
}

const known = new Map<string, Promise<readonly Judged[]>>()

describe('V10', () => {
  it('V10: each check of files has its cases', () => {
    const ids = controls.flatMap(({ checks }) => checks.filter(({ source }) => source === 'repo').map(({ id }) => id))
    expect(rows.map(([id]) => id)).toEqual(ids.toSorted())
  })

  it.each(rows)('%s: holds, is broken, cannot be judged and does not apply', async (id, row) => {
    const outcome = async (files: Files): Promise<string> => (await judged(id, files)).outcome
    expect(await outcome(row.holds)).toBe('PASS')
    for (const files of row.broken) expect([await outcome(files), files]).toEqual(['FAIL', files])
    for (const files of row.doubtful ?? []) expect([await outcome(files), files]).toEqual(['WARN', files])
    const [unclear, files] = row.unclear
    expect(await outcome(files)).toBe(unclear)
    expect(await outcome(row.absent)).toBe('NOT_APPLICABLE')
  })

  it.each(rows)('%s: what holds, and what cannot be judged, stays so however it is written', async (id, row) => {
    const [unclear, torn] = row.unclear
    for (const variant of variantsOf(row.holds, [], 0)) {
      const result = await judged(id, variant.files)
      expect(result.outcome, shown(result, variant).join('\n')).toBe('PASS')
    }
    for (const variant of variantsOf(torn, [], 0)) {
      const result = await judged(id, variant.files)
      expect(result.outcome, shown(result, variant).join('\n')).toBe(unclear)
    }
  })

  it.each(rows)('%s: the same fault gives the same finding, however it is written', async (id, row) => {
    for (const { files, before, variants } of await all(id, row)) {
      expect(variants.length).toBeGreaterThanOrEqual(2)
      for (const { variant, after } of variants) {
        const lost = before.evidence.filter(
          (finding) => !after.evidence.some((other) => isSame(finding, other, files, variant)),
        )
        if (lost.length > 0) expect(shown(after, variant)).toEqual(shown(before, variant))
        if (variant.copied !== true)
          expect(after.evidence.length, shown(after, variant).join('\n')).toBe(before.evidence.length)
        if (variant.sameText === true)
          expect([variant.name, after.fingerprint]).toEqual([variant.name, before.fingerprint])
      }
    }
  })

  it.each(rows.filter(([id]) => controls.some(({ checks }) => checks.some((each) => each.id === id && each.fixes))))(
    '%s: however it is written, the fix mends it and leaves the rest alone',
    async (id, row) => {
      for (const { files, before, variants } of await all(id, row)) {
        const wanted = (await mended(id, files, before)).outcome
        for (const { variant, after } of variants) {
          const found = await mended(id, variant.files, after)
          expect(found.damage, shown(after, variant).join('\n')).toEqual([])
          const withheld =
            row.withheld?.test(variant.name) === true && after.evidence.every(({ fix }) => fix === undefined)
          if (!isBad(wanted) && !withheld)
            expect(isBad(found.outcome), [...shown(after, variant), ...Object.values(found.files)].join('\n')).toBe(
              false,
            )
        }
      }
    },
  )
})

function all(id: string, row: Cases): Promise<readonly Judged[]> {
  let judgedAll = known.get(id)
  if (judgedAll === undefined) {
    judgedAll = Promise.all([...row.broken, ...(row.doubtful ?? [])].map((files, nth) => judgedOne(id, files, nth)))
    known.set(id, judgedAll)
  }
  return judgedAll
}

async function judgedOne(id: string, files: Files, nth: number): Promise<Judged> {
  const before = await judged(id, files)
  const variants = variantsOf(files, before.evidence, nth).map(async (variant) => ({
    variant,
    after: await judged(id, variant.files),
  }))
  return { files, before, variants: await Promise.all(variants) }
}

function isSame(finding: Finding, other: Finding, files: Files, variant: Variant): boolean {
  return finding.outcome === other.outcome && finding.detail === other.detail && moved(finding, other, files, variant)
}

const isBad = (outcome: string): boolean => !['PASS', 'NOT_APPLICABLE'].includes(outcome)

function shown({ evidence }: Result, { name, files }: Variant): readonly string[] {
  const found = evidence.map(
    ({ path = '', line = 0, column = 0, outcome, detail }) => `${path}:${line}:${column} ${outcome} ${detail}`,
  )
  return [name, ...Object.values(files), ...found]
}

interface Mended {
  readonly outcome: string
  readonly files: Files
  readonly damage: readonly string[]
}

// As `--fix=unsafe` does, and as often as it says that it is to be run once more.
async function mended(id: string, files: Files, judgedBefore: Result): Promise<Mended> {
  let result = judgedBefore
  let now = files
  for (let round = 0; round < 3 && result.evidence.some(({ fix }) => fix !== undefined); round += 1) {
    const edits = planned(result.evidence)
    now = Object.fromEntries(
      Object.entries(now).map(([path, text]) => [
        path,
        edited(
          text,
          edits.filter((each) => each.path === path),
        ),
      ]),
    )
    result = await judged(id, now)
  }
  return { outcome: result.outcome, files: now, damage: damage(files, now) }
}

function planned(evidence: readonly Finding[]): readonly Edit[] {
  const taken: Edit[] = []
  for (const { fix } of evidence) {
    const edits = fix?.edits ?? []
    if (edits.every((edit) => taken.every((other) => !overlap(edit, other)))) taken.push(...edits)
  }
  return taken
}

function overlap(a: Edit, b: Edit): boolean {
  return a.path === b.path && (a.start === b.start || (a.start < b.end && b.start < a.end))
}

function edited(text: string, edits: readonly Edit[]): string {
  const mark = text.startsWith('\uFEFF') ? '\uFEFF' : ''
  let after = text.slice(mark.length)
  for (const { start, end, text: put } of edits.toSorted((a, b) => b.start - a.start || b.end - a.end))
    after = after.slice(0, start) + put + after.slice(end)
  return mark + after
}

function damage(files: Files, now: Files): readonly string[] {
  return Object.entries(now).flatMap(([path, text]) => {
    const before = files[path] ?? ''
    const notes = (each: string): number => each.split(/(?:#|\/\/|--|\/\*) note/).length
    return [
      ...(notes(before) === notes(text) ? [] : [`${path} lost a comment:\n${text}`]),
      ...(/(?<!\r)\n/.test(before) || !/(?<!\r)\n/.test(text) ? [] : [`${path} got another line end:\n${text}`]),
      ...(/\.ya?ml$/.test(path) && parseAllDocuments(text).some(({ errors }) => errors.length > 0)
        ? [`${path} cannot be read any more:\n${text}`]
        : []),
    ]
  })
}
