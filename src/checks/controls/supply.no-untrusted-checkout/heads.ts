import { maskExpressions } from '../../collect/workflows/expressions.ts'
import type { PrivilegedEvent } from './events.ts'

/** How sure a text names code of a pull request: by its commit, by the name of its branch alone, or by a name that only sounds so. */
export type Head = 'commit' | 'branch' | 'perhaps'

const heads: Readonly<Record<PrivilegedEvent, { readonly commit: RegExp; readonly branch: RegExp }>> = {
  pull_request_target: {
    commit:
      /^github\.event\.(?:pull_request\.(?:head\.sha|merge_commit_sha|head\.repo\.(?:full_name|name|clone_url|ssh_url|git_url|html_url|owner\.login)|head\.user\.login)|after)$/,
    branch: /^github\.(?:head_ref|event\.pull_request\.head\.(?:ref|label))$/,
  },
  workflow_run: {
    commit:
      /^github\.event\.workflow_run\.(?:head_sha|head_commit\.id|head_repository\.(?:full_name|name|clone_url|ssh_url|git_url|html_url|owner\.login)|pull_requests\.[^.]+\.head\.sha)$/,
    branch: /^github\.event\.workflow_run\.(?:head_branch|pull_requests\.[^.]+\.head\.ref)$/,
  },
  issue_comment: { commit: /^(?!)/, branch: /^(?!)/ },
}

// Of a pull request, whatever the event.
const pullRef = /(?:^|[\s"'=:+/])(?:refs\/(?:remotes\/)?)?pull\/[^\s"']{1,200}\/(?:head|merge)/
/** Stands among the contexts for a text that is the ref of a pull request itself. */
export const pullSource = 'refs/pull'

/** Whether a text is the ref of a pull request, whatever its number is made of: `format` too is given the text. */
export function namesPull(text: string): boolean {
  return pullRef.test(maskExpressions(text)) || (text.includes('${{') && pullRef.test(text))
}

/** What of a text is code of outsiders under an event; `sources` are the contexts that it is made of. */
export function headIn(text: string, sources: readonly string[], event: PrivilegedEvent): Head | undefined {
  if (namesPull(text) || sources.includes(pullSource)) return 'commit'
  if (sources.some((source) => heads[event].commit.test(source))) return 'commit'
  if (sources.some((source) => heads[event].branch.test(source))) return 'branch'
  return sources.some((source) => soundsSo(source, event)) ? 'perhaps' : undefined
}

const lookedUp = {
  commit: /\.(?:pull_request|workflow_run)\.(?:head\.sha|head_sha|merge_commit_sha)\b|\.head\.sha\b|\bheadRefOid\b/,
  branch: /\.(?:pull_request|workflow_run)\.(?:head\.ref|head_branch)\b|\.head\.ref\b|\bheadRefName\b/,
  other: /\b(?:gh|hub|curl|wget)\s/,
} as const
// What is asked for is the branch that everything goes into, or a release.
const ownAnswer = /default_?branch|\.base\b|base_?ref|\btags?\b|tag_?name|\breleases?\b/i

/** The same of a command whose output the text takes: `$(gh pr view "$N" --json headRefOid)`. */
export function headInAnswer(text: string): Head | undefined {
  if (!text.includes('$(') && !text.includes('`')) return undefined
  if (lookedUp.commit.test(text)) return 'commit'
  if (lookedUp.branch.test(text)) return 'branch'
  return lookedUp.other.test(text) && !ownAnswer.test(text) ? 'perhaps' : undefined
}

/** A pull request by its number, as the tags of images name it. */
export const pullNumber = /^github\.event\.(?:number|(?:pull_request|issue)\.number)$/

// Outputs of steps that look the pull request up.
function soundsSo(source: string, event: PrivilegedEvent): boolean {
  const output = /^(?:steps|needs)\.([^.]+\.outputs\.[^.]+)$/.exec(source)?.[1]
  if (output === undefined) return false
  return event === 'issue_comment'
    ? /head|sha|ref|branch|commit|pull|\bpr\b/.test(output)
    : /head|pull|\bpr[-_.]/.test(output)
}
