import { scriptOf, type Dockerfile } from '../containers/dockerfiles.ts'
import { isReadable, type Parsed, type SourceFile } from '../source-file.ts'
import type { Makefile } from './makefiles.ts'
import { commandsIn, commandsOfRun, commandsOfScript, type ToolCommand } from './tool-commands.ts'
import type { MapValue } from '../values/value.ts'
import type { Action, Job, Step, Workflow } from '../workflows/workflows.ts'

/** A place where commands stand: a step, a script, the RUN of a Dockerfile, a rule of a makefile. */
export interface CommandSite {
  readonly kind: 'workflow' | 'action' | 'script' | 'dockerfile' | 'makefile'
  readonly file: SourceFile
  readonly commands: readonly ToolCommand[]
  /** Maps that may have `env`, the nearest first. */
  readonly around: readonly MapValue[]
  readonly job?: Job
  /** The folder that its paths are in, as far as it is written there. */
  readonly folder: string
}

interface Sources {
  readonly workflows: readonly Parsed<Workflow>[]
  readonly actions: readonly Parsed<Action>[]
  readonly shellFiles?: readonly Parsed<SourceFile>[]
  readonly dockerfiles?: readonly Parsed<Dockerfile>[]
  readonly makefiles?: readonly Parsed<Makefile>[]
}

/** Every place whose text has a word of interest; only there the commands are read. */
export function commandSites(sources: Sources, interest: RegExp): readonly CommandSite[] {
  return [
    ...readable(sources.workflows).flatMap(({ file, value }) =>
      value.jobs.flatMap((job) =>
        job.steps.flatMap((step) => ofStep('workflow', file, step, [job.node, value.root], interest, job)),
      ),
    ),
    ...readable(sources.actions).flatMap(({ file, value }) =>
      value.steps.flatMap((step) => ofStep('action', file, step, [value.root], interest)),
    ),
    ...readable(sources.shellFiles ?? []).flatMap(({ file }) =>
      interest.test(file.text)
        ? [{ kind: 'script' as const, file, commands: commandsOfScript(file), around: [], folder: '' }]
        : [],
    ),
    ...readable(sources.dockerfiles ?? []).flatMap(({ file, value }) => ofDockerfile(file, value, interest)),
    ...readable(sources.makefiles ?? []).flatMap(({ value }) => ofMakefile(value, interest)),
  ]
}

function readable<T>(all: readonly Parsed<T>[]): readonly { readonly file: SourceFile; readonly value: T }[] {
  return all.filter(isReadable)
}

function ofStep(
  kind: 'workflow' | 'action',
  file: SourceFile,
  { node, run }: Step,
  around: readonly MapValue[],
  interest: RegExp,
  job?: Job,
): readonly CommandSite[] {
  if (run === undefined || !interest.test(run.text)) return []
  const maps = [node, ...around]
  const folder =
    node.text('working-directory') ??
    around.map((map) => map.map('defaults')?.map('run')?.text('working-directory')).find((each) => each !== undefined)
  const site = { kind, file, commands: commandsOfRun(run), around: maps, folder: folder ?? '' }
  return [job === undefined ? site : { ...site, job }]
}

function ofDockerfile(file: SourceFile, { instructions }: Dockerfile, interest: RegExp): readonly CommandSite[] {
  return instructions.flatMap((instruction) => {
    if (instruction.keyword !== 'RUN' || !interest.test(instruction.text)) return []
    const script = scriptOf(instruction)
    if (script === undefined) return []
    const commands = commandsIn(script.text, (start, end) => ({
      file,
      start: script.start + start,
      end: script.start + end,
    }))
    return [{ kind: 'dockerfile' as const, file, commands, around: [], folder: '' }]
  })
}

function ofMakefile({ file, rules }: Makefile, interest: RegExp): readonly CommandSite[] {
  if (!interest.test(file.text)) return []
  return rules().flatMap((lines) => {
    if (!lines.some(({ text }) => interest.test(text))) return []
    const commands = lines.flatMap(({ text, place }) => commandsIn(text, place))
    return [{ kind: 'makefile' as const, file, commands, around: [], folder: '' }]
  })
}

/** The value of a variable in the `env` around, the nearest one. */
export function envOf(site: CommandSite, name: string): string | undefined {
  for (const map of site.around) {
    const value = map.map('env')?.scalar(name)
    if (value !== undefined) return value.text
  }
  return undefined
}

/** Whether a variable is set to what tools take for yes. */
export function envIsOn(site: CommandSite, name: string): boolean {
  return /^(?:1|true|yes|on|y|t)$/i.test(envOf(site, name) ?? '')
}
