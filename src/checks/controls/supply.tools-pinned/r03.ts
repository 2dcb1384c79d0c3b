import { judgeEach, problemsOf, repoCheck } from '../../check.ts'
import { commandSites } from '../../collect/shell/command-sites.ts'
import { dockerfiles } from '../../collect/containers/dockerfiles.ts'
import { projectNames } from '../../collect/packages/project-names.ts'
import { makefiles } from '../../collect/shell/makefiles.ts'
import { shellFiles } from '../../collect/shell/shell-files.ts'
import { isReadable, type Parsed, type SourceFile } from '../../collect/source-file.ts'
import type { ToolCommand } from '../../collect/shell/tool-commands.ts'
import { toolVersions, type ToolVersion } from '../../collect/packages/tool-versions.ts'
import type { MapValue } from '../../collect/values/value.ts'
import { actions, workflows, type Step } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Evidence } from '../../evidence.ts'
import { judgeInputs } from './inputs.ts'
import { floatingTools, type LocalNames } from './installs.ts'
import { runtimePrecision, runtimes, toolPrecision } from './version.ts'

/**
 * Programs that jobs, scripts, makefiles and version files bring in: whoever publishes the next version of one runs in the next job. What a lock
 * file holds is no matter here (a range in `package.json`), nor are packages of the operating system. Python packages are R25's where a
 * workflow takes them at any version, and R07's where they have a version and no hash. A language may be named by its release line.
 */
export const r03 = repoCheck({
  id: 'R03',
  title: 'Tools are installed at exact versions',
  needs: { workflows, actions, shellFiles, dockerfiles, makefiles, toolVersions, projectNames },
  judge: (facts) => {
    const { workflows: files, actions: own, shellFiles: scripts, dockerfiles: images, toolVersions: versions } = facts
    const { makefiles: makes } = facts
    if (files.length + own.length + scripts.length + images.length + makes.length + versions.length === 0)
      return [
        stated('repo', 'NOT_APPLICABLE', 'No workflow, action, script, makefile or version file brings in tools.'),
      ]
    const named = new Set(versions.flatMap((file) => (isReadable(file) ? file.value.map(({ tool }) => tool) : [])))
    return [
      ...commandSites(facts, mayInstall).flatMap(({ commands, file }) =>
        judgeCommands(
          installs(file) ? commands.filter(({ name }) => !fetches.has(name)) : commands,
          facts.projectNames,
        ),
      ),
      ...judgeAll(files, ({ root, jobs }) =>
        jobs.flatMap((job) => judgeUses(job.steps, [job.node, root], job.node, named)),
      ),
      ...judgeAll(own, ({ steps, root }) => judgeUses(steps, [root], undefined, named)),
      ...judgeAll(versions, (all) => all.flatMap(judgeVersion)),
      ...[...scripts, ...images, ...makes].flatMap(problemsOf),
    ]
  },
})

function judgeAll<T>(files: readonly Parsed<T>[], judge: (value: T) => readonly Evidence[]): readonly Evidence[] {
  return files.length === 0 ? [] : judgeEach(files, '', judge)
}

function judgeUses(
  steps: readonly Step[],
  around: readonly MapValue[],
  job: MapValue | undefined,
  named: ReadonlySet<string>,
): readonly Evidence[] {
  return steps.flatMap((step) => (step.uses === undefined ? [] : judgeInputs(step, [step.node, ...around], job, named)))
}

// An install script brings the newest release of this very project, and R09 looks at it.
const fetches = new Set(['curl', 'wget', 'gh'])

function installs({ path }: SourceFile): boolean {
  return /(?:^|\/)install[^/]*\.(?:ba)?sh$/.test(path)
}

// Without one of these words nothing is installed, and the text need not be read.
const mayInstall = /\b(?:npm|npx|pnpm|pnpx|yarn|bunx?|corepack|go|cargo|gem|dotnet|gh|curl|wget)\b/

function judgeCommands(commands: readonly ToolCommand[], local: LocalNames): readonly Evidence[] {
  return commands.flatMap((command) => {
    const found = floatingTools(command, commands, local)
    const floating = found.filter(({ unclear }) => unclear !== true)
    const [first] = floating
    const unclear = found.flatMap((each) =>
      each.unclear === true ? [doubtful(each.word.spot, each.detail, { confidence: each.confidence })] : [],
    )
    if (first === undefined) return unclear
    // What one command takes is one finding.
    const detail = floating.map((each) => each.detail).join(' ')
    const subject = floating.map(({ word: { spot } }) => spot.file.text.slice(spot.start, spot.end)).join(' ')
    return [failing(first.word.spot, detail, { confidence: first.confidence, subject }), ...unclear]
  })
}

function judgeVersion({ tool, version, spot }: ToolVersion): readonly Evidence[] {
  const runtime = runtimes.has(tool)
  const precision = runtime ? runtimePrecision(tool, version) : toolPrecision(version)
  if (precision === 'exact' || precision === 'line' || version === 'system') return []
  const subject = `${tool} ${version}`
  if (precision === 'unclear' || precision === 'lines')
    return [doubtful(spot, `"${version}" of ${tool} may be any version.`, { confidence: 'low', subject })]
  return [failing(spot, `${tool} is asked for at "${version}", which is no exact version.`, { subject })]
}
