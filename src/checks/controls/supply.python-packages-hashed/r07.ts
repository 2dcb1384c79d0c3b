import { posix } from 'node:path'
import { problemsOf, repoCheck } from '../../check.ts'
import { commandSites, envIsOn, type CommandSite } from '../../collect/shell/command-sites.ts'
import { dockerfiles } from '../../collect/containers/dockerfiles.ts'
import { pythonLocks } from '../../collect/packages/python-locks.ts'
import { requirements } from '../../collect/packages/requirements.ts'
import { makefiles } from '../../collect/shell/makefiles.ts'
import { shellFiles } from '../../collect/shell/shell-files.ts'
import { isReadable } from '../../collect/source-file.ts'
import type { ToolWord } from '../../collect/shell/tool-commands.ts'
import { actions, workflows } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Evidence } from '../../evidence.ts'
import { judgeLocks } from './locks.ts'
import { pipInstallOf, type PipInstall, type PipPackage } from './pip.ts'
import { RequirementFiles } from './requirement-files.ts'

/**
 * Every `pip install` in workflows, actions, scripts, makefiles and Dockerfiles, and every lock file. A package that a workflow takes at
 * any version is R25's; here it is told only elsewhere. Wheels built in the job are a hint, as their dependencies are not locked.
 */
export const r07 = repoCheck({
  id: 'R07',
  title: 'Python packages are installed by hash, and every line of a lock file has one',
  needs: { workflows, actions, shellFiles, dockerfiles, makefiles, requirements, pythonLocks },
  judge: (facts) => {
    const files = new RequirementFiles(facts.requirements)
    const installs = commandSites(facts, /\bpip[\d.]*\b/).flatMap((site) =>
      site.commands.flatMap((command) => {
        const install = pipInstallOf(command)
        return install === undefined ? [] : [{ site, install, uv: command.name === 'uv' }]
      }),
    )
    const named = facts.requirements.filter((each) => !isReadable(each) || each.value.byName)
    const locks = [...named, ...facts.pythonLocks]
    if (installs.length === 0 && locks.length === 0)
      return [
        stated(
          'repo',
          'NOT_APPLICABLE',
          'Nothing installs Python packages with pip, and there is no Python lock file.',
        ),
      ]
    const found = installs.flatMap(({ site, install, uv }) => judgeInstall(site, install, files, uv))
    return [
      ...found,
      ...judgeLocks(facts.requirements, facts.pythonLocks, files),
      ...[...facts.requirements, ...facts.pythonLocks, ...facts.shellFiles, ...facts.makefiles].flatMap(problemsOf),
      ...(installs.length > 0 || facts.workflows.some((each) => !isReadable(each))
        ? [...facts.workflows, ...facts.actions, ...facts.dockerfiles].flatMap(problemsOf)
        : []),
    ]
  },
})

function judgeInstall(
  site: CommandSite,
  install: PipInstall,
  files: RequirementFiles,
  uv: boolean,
): readonly Evidence[] {
  if (install.requireHashes || envIsOn(site, uv ? 'UV_REQUIRE_HASHES' : 'PIP_REQUIRE_HASHES')) return []
  return [
    ...install.files.flatMap((word) => judgeFile(site, word, files)),
    ...install.packages.flatMap((each) => (each.kind === 'name' ? [] : judgePackage(each, install))),
    ...judgeNamed(site, install),
  ]
}

function judgeFile(
  { folder, file, commands }: CommandSite,
  word: ToolWord,
  files: RequirementFiles,
): readonly Evidence[] {
  const { text } = word
  if (/[$`*]|\$\{\{/.test(text))
    return [doubtful(word.spot, 'Which requirements are installed is decided elsewhere.', { confidence: 'low' })]
  // A lock file of the standard has hashes; a project has what it depends on.
  if (/(?:^|\/)pylock(?:\.[^/]+)?\.toml$/.test(text)) return []
  if (/(?:^|\/)(?:pyproject\.toml|setup\.(?:py|cfg))$/.test(text)) {
    const why = `What ${text} depends on is installed without hashes, at any version.`
    return [failing(word.spot, why, { confidence: 'medium' })]
  }
  const found = files.find(text, [folder, posix.dirname(file.path)])
  if (found === undefined) {
    // `[ -f requirements.txt ]`, and there is none.
    const asked = commands.some(
      ({ name, words }) => /^(?:\[|test)$/.test(name) && words.some((each) => each.text === text),
    )
    if (asked) return []
    return [
      doubtful(word.spot, `${text} is not in this repository: whether it has hashes could not be looked at.`, {
        confidence: 'low',
      }),
    ]
  }
  const { total, hashed } = files.countedWithIncludes(found)
  // pip refuses lines without a hash once one line has one.
  if (total === 0 || hashed > 0) return []
  files.installed.add(found.file.path)
  return [failing(word.spot, `${text} is installed, and its lines have no hashes.`)]
}

// What one command takes by name is one finding; a package without a version in a workflow is R25's.
function judgeNamed(site: CommandSite, { packages, constrained }: PipInstall): readonly Evidence[] {
  const inWorkflow = site.kind === 'workflow' || site.kind === 'action'
  const named = packages.filter(({ kind, pinned }) => kind === 'name' && (pinned || constrained || !inWorkflow))
  const [first] = named
  if (first === undefined) return []
  const names = named.map(({ text }) => text).join(' ')
  const how = named.every(({ pinned }) => pinned || constrained) ? 'by version alone, without a hash' : 'without a hash'
  return [
    failing(first.word.spot, `${names} ${named.length === 1 ? 'is' : 'are'} installed ${how}.`, { subject: names }),
  ]
}

function judgePackage({ word, text, kind, unclear }: PipPackage, install: PipInstall): readonly Evidence[] {
  if (kind === 'address')
    return /[0-9a-f]{40}/.test(text) || unclear
      ? []
      : [failing(word.spot, `${text} is installed, whatever stands there today.`)]
  if (kind === 'name' || install.noDependencies) return []
  if (kind === 'file' || unclear)
    return [doubtful(word.spot, `What ${text} depends on is installed without hashes.`, { confidence: 'low' })]
  const why = `What the project in ${text} depends on is installed without hashes, at any version.`
  return [failing(word.spot, why, { confidence: 'medium' })]
}
