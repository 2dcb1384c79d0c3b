import { texts } from '../../collect/values/value.ts'
import type { Action, Trigger, Workflow } from '../../collect/workflows/workflows.ts'

// `choice` is compared with its options, and `environment` with those that there are.
const plainTypes = new Set(['boolean', 'number', 'choice', 'environment'])

/** The inputs that take text, by name, and who gives it; `*` for any of them. An action takes text in all of its own. */
export function inputsOfText(document: Workflow | Action): ReadonlyMap<string, 'caller' | 'dispatch'> {
  const found = new Map<string, 'caller' | 'dispatch'>()
  if (!('jobs' in document)) return found
  for (const [event, giver] of givers) {
    const inputs = document.triggers.find(({ name }) => name === event)?.settings?.map('inputs')
    for (const { key, value } of inputs?.entries ?? []) {
      if (value.kind === 'map' && plainTypes.has(value.text('type') ?? 'string')) continue
      found.set(key.text.toLowerCase(), giver)
      found.set('*', giver)
    }
  }
  return found
}

// The caller's word is the worse one, and said last.
const givers = [
  ['workflow_dispatch', 'dispatch'],
  ['workflow_call', 'caller'],
] as const

// Their ref is that of the pull request by its number, or the default branch.
const ofNumberOrDefault = new Set([
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
  'schedule',
  'issues',
  'issue_comment',
  'discussion',
  'discussion_comment',
  'workflow_run',
  'repository_dispatch',
  'page_build',
  'watch',
  'fork',
  'gollum',
  'label',
  'milestone',
  'status',
  'check_run',
  'check_suite',
])

/** Nothing that starts the workflow brings a ref with a name that somebody may have chosen for this. */
export function refsArePlain(document: Workflow | Action, name: string | undefined): boolean {
  if (!('jobs' in document)) return false
  // The base of a pull request is a branch that is there already, yet one that any member may make.
  if (name === 'base_ref') return !document.triggers.some((trigger) => trigger.name.startsWith('pull_request'))
  return document.triggers.every((trigger) => ofNumberOrDefault.has(trigger.name) || isLiteralPush(trigger))
}

function isLiteralPush({ name, settings }: Trigger): boolean {
  if (name === 'merge_group') return true
  if ((name !== 'push' && name !== 'pull_request_target') || settings === undefined) return false
  const branches = texts(settings.get('branches'))
  return (
    settings.get('tags') === undefined && branches.length > 0 && branches.every((branch) => /^[\w./-]+$/.test(branch))
  )
}
