import type { Tree } from '../collect/tree.ts'
import type { Edit, Fix } from '../evidence.ts'
import type { Finding } from '../fingerprint.ts'
import type { Result } from '../run.ts'
import { Rewrite } from './rewrite.ts'

/** What a run with `--fix` did. */
export interface Fixed {
  readonly done: readonly FixDone[]
  readonly left: readonly FixLeft[]
  /** The files that were written. */
  readonly paths: readonly string[]
}

export interface FixDone {
  readonly check: string
  readonly finding: Finding
  readonly fix: Fix
}

export interface FixLeft extends FixDone {
  /** Why it was not made. */
  readonly why: string
  /** There where another fix took its place, and one more round can make it. */
  readonly again?: true
}

/**
 * Makes the fixes of what does not hold: the safe ones, or all. Of two that touch the same place the first wins. A file is written
 * whole or not at all, and only if it is what was judged. What is waived is left alone.
 */
export async function applyFixes(tree: Tree, results: readonly Result[], wanted: 'safe' | 'unsafe'): Promise<Fixed> {
  const all = results.flatMap(({ check, evidence }) =>
    evidence.flatMap((finding) =>
      finding.fix === undefined || finding.outcome === 'WAIVED' ? [] : [{ check: check.id, finding, fix: finding.fix }],
    ),
  )
  const refused = new Map<string, string>()
  for (;;) {
    const plan = planned(all, wanted, refused)
    const rewrites = await Promise.all([...plan.edits].map(([path, edits]) => Rewrite.prepare(tree, path, edits)))
    const bad = rewrites.filter(({ problem }) => problem !== undefined)
    for (const { path, problem } of bad) refused.set(path, problem ?? '')
    // A fix of several files is made in all of them or in none.
    if (bad.length > 0) continue
    const failed = new Map<string, string>()
    for (const rewrite of rewrites) {
      const problem = await rewrite.write()
      if (problem !== undefined) failed.set(rewrite.path, problem)
    }
    return settled(plan, failed)
  }
}

interface Plan {
  readonly done: readonly FixDone[]
  readonly left: readonly FixLeft[]
  readonly edits: ReadonlyMap<string, readonly Edit[]>
}

function planned(all: readonly FixDone[], wanted: 'safe' | 'unsafe', refused: ReadonlyMap<string, string>): Plan {
  const done: FixDone[] = []
  const left: FixLeft[] = []
  const edits = new Map<string, Edit[]>()
  for (const each of all) {
    const why = obstacle(each.fix, wanted, refused, edits)
    if (why !== undefined) left.push({ ...each, why, ...(why === clash ? { again: true } : {}) })
    else {
      done.push(each)
      for (const edit of each.fix.edits) {
        const own = edits.get(edit.path) ?? []
        if (!own.some((other) => isSame(other, edit))) own.push(edit)
        edits.set(edit.path, own)
      }
    }
  }
  return { done, left, edits }
}

const clash = 'Another fix changes the same place: run it once more.'

function obstacle(
  { safety, edits }: Fix,
  wanted: 'safe' | 'unsafe',
  refused: ReadonlyMap<string, string>,
  taken: ReadonlyMap<string, readonly Edit[]>,
): string | undefined {
  if (safety === 'unsafe' && wanted === 'safe') return 'It may break something: --fix=unsafe makes it.'
  for (const edit of edits) {
    const problem = refused.get(edit.path)
    if (problem !== undefined) return problem
    if (taken.get(edit.path)?.some((other) => overlap(other, edit) && !isSame(other, edit)) === true) return clash
  }
  return undefined
}

function settled({ done, left, edits }: Plan, failed: ReadonlyMap<string, string>): Fixed {
  const brokenBy = ({ fix }: FixDone): string | undefined =>
    fix.edits.map(({ path }) => failed.get(path)).find((why) => why !== undefined)
  return {
    done: done.filter((each) => brokenBy(each) === undefined),
    left: [
      ...left,
      ...done.flatMap((each) => ({ ...each, why: brokenBy(each) ?? '' })).filter(({ why }) => why !== ''),
    ],
    paths: [...edits.keys()].filter((path) => !failed.has(path)).toSorted(),
  }
}

/** Two insertions at the same place count: their order would be chance. */
function overlap(a: Edit, b: Edit): boolean {
  if (a.start === a.end && b.start === b.end) return a.start === b.start
  return a.start < b.end && b.start < a.end
}

function isSame(a: Edit, b: Edit): boolean {
  return a.start === b.start && a.end === b.end && a.text === b.text
}
