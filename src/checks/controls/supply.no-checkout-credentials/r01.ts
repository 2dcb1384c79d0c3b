import { posix } from 'node:path'
import { judgeEach, problemsOf, repoCheck } from '../../check.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import { credentialUsesOf, workingFolder, type CredentialUse } from '../../collect/publishing/pushing.ts'
import { scripts, type Scripts } from '../../collect/shell/called-scripts.ts'
import { entryNamed } from '../../collect/workflows/lookup.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { actionOf, inputOf } from '../../collect/workflows/uses.ts'
import type { ScalarValue } from '../../collect/values/value.ts'
import { actions, workflows, type Action, type Step } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence, type Fix } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'

export const r01 = repoCheck({
  id: 'R01',
  title: 'Checkout does not persist credentials in jobs that do not push',
  fixes: 'both',
  needs: { workflows, actions, scripts },
  judge: ({ workflows: files, actions: own, scripts: texts }) => [
    ...judgeEach(files, 'There is no workflow.', (workflow) =>
      workflow.jobs.flatMap((job) =>
        judgeSteps(job.steps, (step) => workingFolder(step, job, workflow), { scripts: texts, actions: own }),
      ),
    ),
    // The callers of an action go on after it: what they do with the checkout is not known here.
    ...own.flatMap((action) =>
      isReadable(action)
        ? judgeSteps(action.value.steps, () => '.', { scripts: texts, actions: own }).map((evidence) =>
            called(evidence),
          )
        : problemsOf(action),
    ),
  ],
})

interface Around {
  readonly scripts: Scripts
  readonly actions: readonly Parsed<Action>[]
}

function judgeSteps(
  steps: readonly Step[],
  folderOf: (step: Step) => string | undefined,
  around: Around,
): readonly Evidence[] {
  const checkouts = steps.flatMap((step, at) => (actionOf(step.uses) === 'actions/checkout' ? [{ step, at }] : []))
  const leaving = checkouts.filter(({ step }) => persisting(step) !== 'no')
  if (leaving.length === 0) return []
  const uses = new LaterUses(checkouts.map(({ step }) => pathOf(step)))
  for (const [at, step] of steps.entries())
    for (const use of credentialUsesOf(step, { ...around, folder: folderOf(step) })) uses.add(use, at)
  return leaving.flatMap(({ step, at }) => {
    const { push, maybe, fetch } = uses.after(at, pathOf(step))
    return push === undefined ? [leaves(step, maybe, fetch)] : []
  })
}

// What the action makes of the input: only `true` in any case keeps the token, and it is the default.
function persisting(step: Step): 'yes' | 'explicitly' | 'no' | 'unclear' {
  const persist = persistOf(step)
  if (persist === undefined) return 'yes'
  const parts = expressionsIn(persist.text)
  if (parts.some(({ expression }) => expression?.kind !== 'literal')) return 'unclear'
  const text = parts.reduceRight(
    (whole, { start, end, expression }) =>
      `${whole.slice(0, start)}${expression?.kind === 'literal' ? (expression.value ?? '') : ''}${whole.slice(end)}`,
    persist.text,
  )
  return text.trim().toLowerCase() === 'true' ? 'explicitly' : 'no'
}

function persistOf({ node }: Step): ScalarValue | undefined {
  const given = entryNamed(node.map('with'), input)?.value
  return given?.kind === 'scalar' ? given : undefined
}

const input = 'persist-credentials'

function leaves(step: Step, maybe: CredentialUse | undefined, fetch: CredentialUse | undefined): Evidence {
  const node = persistOf(step)
  const spot = node ?? step.uses?.node ?? step.node
  const state = persisting(step)
  if (state === 'unclear')
    return doubtful(spot, 'Whether the token stays on disk depends on an expression.', { confidence: 'low' })
  const fix = fixOf(step, state === 'explicitly', maybe ?? fetch)
  if (maybe !== undefined)
    return doubtful(spot, `The checkout leaves its token on disk; \`${maybe.what}\` may push with it, or may not.`, {
      confidence: 'medium',
      fix,
    })
  return failing(spot, 'The checkout leaves its token on disk, and nothing after it in this job pushes.', { fix })
}

function fixOf({ node }: Step, explicit: boolean, first: CredentialUse | undefined): Fix | undefined {
  // Its name is written in any case, and may be there once.
  const name = entryNamed(node.map('with'), input)?.key.text ?? input
  const edits = setEntry(node, ['with', name], 'false')
  if (edits.length === 0) return undefined
  const description = 'Set persist-credentials to false'
  if (first !== undefined)
    return {
      safety: 'unsafe',
      description,
      risk:
        first.kind === 'fetch'
          ? `\`${first.what}\` has no credentials then, and fails in a private repository.`
          : `\`${first.what}\` has no credentials then, and fails if it pushes.`,
      edits,
    }
  if (explicit)
    return {
      safety: 'unsafe',
      description,
      risk: 'It was set to true on purpose: whatever needs the token fails then.',
      edits,
    }
  return { safety: 'safe', description, edits }
}

function called(evidence: Evidence): Evidence {
  if (evidence.outcome !== 'FAIL') return evidence
  const { fix } = evidence
  return {
    ...evidence,
    outcome: 'WARN',
    confidence: 'medium',
    detail:
      'The checkout leaves its token on disk, and this action does not push; whether its callers do is not known here.',
    ...(fix === undefined
      ? {}
      : {
          fix: {
            ...fix,
            safety: 'unsafe',
            risk: 'A job that uses the action and pushes after it has no credentials then.',
          },
        }),
  }
}

type Kinds = Partial<Record<CredentialUse['kind'], { readonly use: CredentialUse; readonly at: number }>>
const anywhere = '*'

// The last use of each kind by checkout. With several checkouts it is that of the folder; where that is not known it may be any.
class LaterUses {
  readonly #paths: ReadonlySet<string>
  readonly #single: boolean
  readonly #last = new Map<string, Kinds>()

  constructor(paths: readonly (string | undefined)[]) {
    this.#paths = new Set(paths.filter((path) => path !== undefined))
    this.#single = paths.length < 2
  }

  add(use: CredentialUse, at: number): void {
    const path = this.#single || use.folder === undefined ? anywhere : this.#holding(posix.join(use.folder, '.'))
    this.#last.set(path, { ...this.#last.get(path), [use.kind]: { use, at } })
  }

  after(at: number, path: string | undefined): Partial<Record<CredentialUse['kind'], CredentialUse>> {
    // A checkout to a computed path may be the one of any folder.
    const sources = path === undefined ? [...this.#last.values()] : [this.#last.get(anywhere), this.#last.get(path)]
    const found: Partial<Record<CredentialUse['kind'], CredentialUse>> = {}
    for (const kinds of sources) {
      for (const kind of ['push', 'maybe', 'fetch'] as const) {
        const last = kinds?.[kind]
        if (last !== undefined && last.at > at) found[kind] = last.use
      }
    }
    return found
  }

  #holding(folder: string): string {
    for (let path = folder; ; path = posix.dirname(path)) {
      if (this.#paths.has(path)) return path
      if (path === '.' || path === '/' || path.startsWith('..')) return anywhere
    }
  }
}

function pathOf(checkout: Step): string | undefined {
  const path = inputOf(checkout, 'path') ?? '.'
  return path.includes('${{') ? undefined : posix.join(path, '.').replace(/\/$/, '')
}
