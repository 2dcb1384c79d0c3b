import { posix } from 'node:path'
import { problemsOf, repoCheck } from '../../check.ts'
import { commandSites, envIsOn, type CommandSite } from '../../collect/shell/command-sites.ts'
import { preCommit, type PreCommitRepository } from '../../collect/packages/pre-commit.ts'
import { pythonLockPaths } from '../../collect/packages/python-locks.ts'
import { isReadable } from '../../collect/source-file.ts'
import type { ToolCommand, ToolWord } from '../../collect/shell/tool-commands.ts'
import { actions, workflows } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Evidence, type Fix } from '../../evidence.ts'
import { pipInstallOf } from '../supply.python-packages-hashed/pip.ts'
import { pythonTools, type PythonTool } from './python-tools.ts'

const interest = /\b(?:pip[\d.]*|pipx|uvx?|poetry|pdm|pipenv)\b/

/**
 * Python tools in workflows and actions run through a lock or at an exact version. A package with a version and no hash is R07's, and so
 * is what scripts and Dockerfiles install.
 */
export const r25 = repoCheck({
  id: 'R25',
  title: 'Python tools in workflows come from a lock file or at an exact version',
  fixes: 'unsafe',
  needs: { workflows, actions, preCommit, pythonLockPaths },
  judge: (facts) => {
    const sites = commandSites(facts, interest)
    const { preCommit: hooks, pythonLockPaths: locks } = facts
    const unread = [facts.workflows, facts.actions].some((all) => all.some((each) => !isReadable<unknown>(each)))
    if (sites.length === 0 && hooks.length === 0 && !unread)
      return [stated('repo', 'NOT_APPLICABLE', 'No workflow runs Python tools.')]
    const checkedJobs = new Set<unknown>()
    return [
      ...sites.flatMap((site) => site.commands.flatMap((command) => judge(site, command, locks, checkedJobs))),
      ...hooks.flatMap((parsed) => (isReadable(parsed) ? parsed.value.flatMap(judgeHook) : [])),
      ...[...facts.workflows, ...facts.actions, ...hooks].flatMap(problemsOf),
    ]
  },
})

function judge(
  site: CommandSite,
  command: ToolCommand,
  locks: ReadonlySet<string>,
  checkedJobs: Set<unknown>,
): readonly Evidence[] {
  const install = pipInstallOf(command)
  if (install !== undefined) {
    if (install.requireHashes || install.constrained) return []
    const floating = install.packages.filter(({ kind, pinned }) => kind === 'name' && !pinned)
    return [
      ...judgePackages(floating.filter(({ unclear }) => !unclear)),
      ...floating.flatMap(({ unclear, text, word }) => (unclear ? [judgeUnclear(word, text)] : [])),
    ]
  }
  return pythonTools(command).flatMap((tool) => {
    if (tool.kind === 'project') return judgeProject(site, tool, locks, checkedJobs)
    if (tool.exact) return []
    return tool.unclear ? [judgeUnclear(tool.word, tool.text)] : judgePackages([tool])
  })
}

// What one command takes is one finding.
function judgePackages(all: readonly { readonly word: ToolWord; readonly text: string }[]): readonly Evidence[] {
  const [first] = all
  if (first === undefined) return []
  const names = all.map(({ text }) => text)
  const verb = all.length === 1 ? 'is' : 'are'
  return [failing(first.word.spot, `${names.join(', ')} ${verb} taken at any version.`, { subject: names.join(' ') })]
}

function judgeUnclear(word: ToolWord, text: string): Evidence {
  return doubtful(word.spot, `Which version of ${text} is taken is decided elsewhere.`, { confidence: 'low' })
}

function judgeProject(
  site: CommandSite,
  tool: PythonTool & { readonly kind: 'project' },
  locks: ReadonlySet<string>,
  checkedJobs: Set<unknown>,
): readonly Evidence[] {
  const job = site.job ?? site.file
  if (tool.checks || (tool.manager === 'uv' && (envIsOn(site, 'UV_LOCKED') || envIsOn(site, 'UV_FROZEN')))) {
    checkedJobs.add(job)
    return []
  }
  const name = lockNames[tool.manager]
  const subject = `${tool.manager} ${tool.words}`
  if (!hasLock(locks, name, site.folder))
    return [failing(tool.word.spot, `There is no ${name}: ${tool.manager} decides anew what it installs.`, { subject })]
  // Poetry and PDM refuse a lock file that does not match.
  if (tool.option === undefined || checkedJobs.has(job)) return []
  const why = `${tool.manager} writes a new lock file where ${name} does not match, and nobody sees it.`
  return [doubtful(tool.word.spot, why, { confidence: 'medium', subject, fix: fixOf(tool.word, tool.option) })]
}

const lockNames = { uv: 'uv.lock', poetry: 'poetry.lock', pdm: 'pdm.lock', pipenv: 'Pipfile.lock' } as const

// Where no folder is named, or one that is computed, any lock file will do.
function hasLock(locks: ReadonlySet<string>, name: string, folder: string): boolean {
  const plain = folder.includes('$') ? '' : posix.normalize(folder === '' ? '.' : folder)
  for (let at = plain; at !== '' && at !== '.' && at !== '/'; at = posix.dirname(at)) {
    if (locks.has(posix.join(at, name))) return true
  }
  if (locks.has(name)) return true
  return folder === '' || folder.includes('$') ? [...locks].some((path) => path.endsWith(`/${name}`)) : false
}

function fixOf(word: ToolWord, option: string): Fix | undefined {
  const { file, start, end } = word.spot
  if (file.text.slice(start, end) !== word.text) return undefined
  return {
    safety: 'unsafe',
    description: `Add ${option}`,
    risk: 'The job fails where the lock file does not match the project.',
    edits: [{ path: file.path, start: end, end, text: ` ${option}` }],
  }
}

function judgeHook({ repo, rev }: PreCommitRepository): readonly Evidence[] {
  if (rev === undefined)
    return [failing(repo, `No \`rev\` says which version of ${repo.text} is taken.`, { subject: repo.text })]
  const moving = !/\d/.test(rev.text)
  return moving ? [failing(rev, `"${rev.text}" of ${repo.text} is a branch, and moves.`, { subject: repo.text })] : []
}
