import type { Check, Control, Parameters } from './check.ts'
import { Tree } from './collect/tree.ts'
import { controls } from './controls/index.ts'
import { runChecks, type Result } from './run.ts'

/** What a repo check says about these files, by path. */
export async function judged(
  id: string,
  files: Readonly<Record<string, string>>,
  parameters: Parameters = {},
): Promise<Result> {
  const { control, check } = checkNamed(id)
  const results = await runChecks({
    contexts: { repo: Tree.of(files) },
    controls: [{ ...control, checks: [check] }],
    parameters: { [id]: parameters },
  })
  const [result] = results
  if (result === undefined) throw new Error(`${id} gave no result`)
  return result
}

/** The findings as `path:line:column outcome`, which is what tests compare. */
export function places(result: Result): readonly string[] {
  return result.evidence.map(({ path = '-', line = 0, column = 0, outcome }) => `${path}:${line}:${column} ${outcome}`)
}

/** The files after the fixes of a result. */
export function repaired(
  result: Result,
  files: Readonly<Record<string, string>>,
  wanted: 'safe' | 'unsafe' = 'safe',
): Record<string, string> {
  const edits = result.evidence.flatMap(({ fix }) =>
    fix !== undefined && (wanted === 'unsafe' || fix.safety === 'safe') ? fix.edits : [],
  )
  const texts: Record<string, string> = { ...files }
  for (const { path, start, end, text } of edits.toSorted((a, b) => b.start - a.start)) {
    const before = texts[path] ?? ''
    texts[path] = before.slice(0, start) + text + before.slice(end)
  }
  return texts
}

/** A check with the control that it is of. */
export function checkNamed(id: string): { readonly control: Control; readonly check: Check } {
  for (const control of controls) {
    const check = control.checks.find((each) => each.id === id)
    if (check !== undefined) return { control, check }
  }
  throw new Error(`there is no check ${id}`)
}
