import { entryNamed } from '../../collect/workflows/lookup.ts'
import { scriptOf, type ShellCommand, type ShellScript } from '../../collect/shell/script.ts'
import type { Spot } from '../../collect/source-file.ts'
import { majorOf } from '../../collect/workflows/uses.ts'
import type { MapValue, ScalarValue } from '../../collect/values/value.ts'
import type { Step } from '../../collect/workflows/workflows.ts'
import type { PrivilegedEvent } from './events.ts'
import { expansionsOf } from './expansions.ts'
import { headIn, headInAnswer, namesPull, pullNumber, type Head } from './heads.ts'
import { sourcesOf, type Standing } from './sources.ts'

/** A step that brings code or files of outsiders into the workspace. */
export interface Fetch {
  readonly spot: Spot
  readonly subject: string
  readonly head: Head
  /** `object`: it is fetched into the repository, and nothing is checked out yet. */
  readonly brings: 'code' | 'object' | 'artifact'
  /** How sure the action itself refuses forks. */
  readonly refuses?: 'surely' | 'likely'
}

/** What a step fetches under an event. */
export function fetchesOf(standing: Standing, event: PrivilegedEvent): readonly Fetch[] {
  const { step } = standing
  if (step?.run !== undefined) return ofScript(step.run, standing, event)
  if (step?.uses?.kind !== 'repository') return []
  const name = step.uses.name.toLowerCase()
  if (name === 'actions/checkout') return ofCheckout(standing, event)
  const other =
    (name === 'actions/download-artifact' && step.node.map('with')?.get('run-id') !== undefined) ||
    name === 'dawidd6/action-download-artifact' ||
    (name === 'actions/github-script' && /\bdownloadArtifact\b/.test(step.node.map('with')?.text('script') ?? ''))
  if (!other || event !== 'workflow_run') return []
  return [{ spot: step.uses.node, subject: step.uses.name, head: 'commit', brings: 'artifact' }]
}

function ofCheckout(standing: Standing, event: PrivilegedEvent): readonly Fetch[] {
  const settings = standing.step?.node.map('with')
  const found = ['ref', 'repository'].flatMap((name) => {
    const given = entryNamed(settings, name)?.value
    const value = given?.kind === 'scalar' ? given : undefined
    const head = value === undefined ? undefined : headIn(value.text, sourcesOf(value.text, standing), event)
    return value === undefined || head === undefined ? [] : [{ value, head }]
  })
  const [first] = found
  if (first === undefined) return []
  const head = (['commit', 'branch', 'perhaps'] as const).find((each) => found.some((one) => one.head === each))
  const refuses = event === 'issue_comment' ? undefined : refusing(standing.step, settings)
  const fetch = { spot: first.value, subject: first.value.text, head: head ?? first.head, brings: 'code' } as const
  return [refuses === undefined ? fetch : { ...fetch, refuses }]
}

// Since v7 it takes no code of forks under these two events unless it is told to; the tags v4 to v6 were moved to releases that do
// the same. See https://github.com/actions/checkout#usage, allow-unsafe-pr-checkout.
function refusing(step: Step | undefined, settings: MapValue | undefined): Fetch['refuses'] {
  if (step?.uses?.kind !== 'repository' || textNamed(settings, 'allow-unsafe-pr-checkout') !== 'false') return undefined
  if ((majorOf(step) ?? 0) >= 7) return 'surely'
  return /^v[456]$/.test(step.uses.ref) ? 'likely' : undefined
}

function textNamed(settings: MapValue | undefined, name: string): string {
  const value = entryNamed(settings, name)?.value
  return value?.kind === 'scalar' ? value.text : 'false'
}

const worthReading = /\b(?:git|gh|hub|docker|podman)\s/
const moving = new Set(['checkout', 'switch', 'pull', 'clone', 'reset', 'merge', 'worktree', 'rebase', 'cherry-pick'])

function ofScript(run: ScalarValue, standing: Standing, event: PrivilegedEvent): readonly Fetch[] {
  if (!worthReading.test(run.text)) return []
  const found: Fetch[] = []
  const script = scriptOf(run)
  for (const command of script.commands) {
    const fetched = ofCommand(command, script, standing, event)
    if (fetched === undefined) continue
    const spot = run.inside(command.start, command.end)
    found.push({ spot, subject: run.text.slice(command.start, command.end), ...fetched })
  }
  return found
}

type Fetched = Pick<Fetch, 'head' | 'brings'>

function ofCommand(
  { name, words }: ShellCommand,
  script: ShellScript,
  standing: Standing,
  event: PrivilegedEvent,
): Fetched | undefined {
  const texts = words.map(({ text }) => text)
  if (name === 'gh' || name === 'hub') {
    const verb = texts.find((_, index) => index > 0 && (texts[index - 1] === 'pr' || texts[index - 1] === 'run'))
    if (verb === 'checkout' || verb === 'co') return { head: 'commit', brings: 'code' }
    return verb === 'download' && event === 'workflow_run' ? { head: 'commit', brings: 'artifact' } : undefined
  }
  if (name === 'docker' || name === 'podman') return ofImage(texts, script, standing, event)
  if (name !== 'git') return undefined
  const verb = texts.find((text) => text === 'fetch' || moving.has(text))
  if (verb === undefined) return undefined
  let doubt: Fetched | undefined
  for (const [index, text] of texts.entries()) {
    // The name of a new branch brings nothing.
    if (index === 0 || /^(?:-[bBcC]|--orphan|--create|--force-create)$/.test(texts[index - 1] ?? '')) continue
    const written = expansionsOf(text, script, standing)
    const head = written.some(namesPull) ? 'commit' : worstHead(written, standing, event)
    const fetched = head && ({ head, brings: verb === 'fetch' ? 'object' : 'code' } as const)
    if (fetched !== undefined && head !== 'perhaps') return fetched
    doubt ??= fetched
  }
  return doubt
}

function worstHead(written: readonly string[], standing: Standing, event: PrivilegedEvent): Fetch['head'] | undefined {
  const heads = written.flatMap((text) => {
    const head = headIn(text, sourcesOf(text, standing), event)
    // The output of a step may be anything where it is an argument of git.
    return [head === 'perhaps' ? undefined : head, headInAnswer(text)]
  })
  return (['commit', 'branch', 'perhaps'] as const).find((each) => heads.includes(each))
}

const switches = /^-[dirtqP]+$|^--(?:rm|detach|interactive|tty|init|privileged|quiet|read-only|no-healthcheck)$/

// An image that was made of a pull request runs its code: `docker run image:pr-17`.
function ofImage(
  texts: readonly string[],
  script: ShellScript,
  standing: Standing,
  event: PrivilegedEvent,
): Fetched | undefined {
  const verb = texts.findIndex((text) => /^(?:pull|run|create)$/.test(text))
  if (verb < 1 || verb > 2) return undefined
  const image = texts.findIndex((text, index) => {
    const before = texts[index - 1] ?? ''
    return (
      index > verb &&
      !text.startsWith('-') &&
      (index === verb + 1 || !before.startsWith('-') || switches.test(before) || before.includes('='))
    )
  })
  const made = expansionsOf(texts[image] ?? '', script, standing).some((text) => {
    const sources = sourcesOf(text, standing)
    const head = headIn(text, sources, event) ?? headInAnswer(text)
    return (head !== undefined && head !== 'perhaps') || sources.some((source) => pullNumber.test(source))
  })
  return made ? { head: 'perhaps', brings: 'code' } : undefined
}

/** Whether a script takes what was fetched into the workspace. */
export function checksOut(run: ScalarValue): boolean {
  if (!worthReading.test(run.text)) return false
  return scriptOf(run).commands.some(({ name, words }) => name === 'git' && words.some(({ text }) => moving.has(text)))
}
