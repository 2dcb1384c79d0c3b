import { commandSites } from '../../collect/shell/command-sites.ts'
import { isReadable, type Parsed, type Spot } from '../../collect/source-file.ts'
import { actionOf } from '../../collect/workflows/uses.ts'
import type { Action, Workflow } from '../../collect/workflows/workflows.ts'
import { pinnedInputs } from '../supply.tools-pinned/inputs.ts'
import { pinnedTools } from '../supply.tools-pinned/installs.ts'

/** A tool at an exact version in a workflow or an action. */
export interface Pin {
  readonly spot: Spot
  readonly what: string
  /** The action whose input says it. */
  readonly action?: string
}

interface Sources {
  readonly workflows: readonly Parsed<Workflow>[]
  readonly actions: readonly Parsed<Action>[]
}

const mayPin = /\b(?:npm|npx|pnpm|pnpx|yarn|bunx?|corepack|go|cargo|gem|dotnet)\b/

export function pinsOf(sources: Sources): readonly Pin[] {
  const inWorkflows = sources.workflows.flatMap((each) =>
    isReadable(each)
      ? each.value.jobs.flatMap(({ steps, node }) =>
          steps.flatMap((step) =>
            pinnedInputs(step, [step.node, node, each.value.root], node).map((pin) => ({ ...pin, step })),
          ),
        )
      : [],
  )
  const inActions = sources.actions.flatMap((each) =>
    isReadable(each)
      ? each.value.steps.flatMap((step) => pinnedInputs(step, [step.node], undefined).map((pin) => ({ ...pin, step })))
      : [],
  )
  const inputs = [...inWorkflows, ...inActions].map(({ tool, version, scalar, step }): Pin => {
    const action = actionOf(step.uses)
    const what = `${tool} ${version}`
    return action === undefined ? { spot: scalar, what } : { spot: scalar, what, action }
  })
  const commands = commandSites(sources, mayPin).flatMap((site) =>
    site.commands.flatMap((command) =>
      pinnedTools(command).map(({ word, detail }) => ({ spot: word.spot, what: detail })),
    ),
  )
  return [...inputs, ...commands]
}

/** Whether a comment on the line, or on one of those right above, says how the version is raised. */
export function hasBumpComment({ file, start }: Spot): boolean {
  const { text } = file
  let lineStart = text.lastIndexOf('\n', start - 1) + 1
  const lineEnd = text.indexOf('\n', start)
  if (says.test(commentOf(text.slice(lineStart, lineEnd === -1 ? text.length : lineEnd)))) return true
  for (let above = 0; above < linesAbove && lineStart > 0; above += 1) {
    const from = text.lastIndexOf('\n', lineStart - 2) + 1
    const line = text.slice(from, lineStart).trim()
    if (!line.startsWith('#')) return false
    if (says.test(line)) return true
    lineStart = from
  }
  return false
}

const linesAbove = 6
const says =
  /\b(?:renovate|dependabot|bump(?:ed|s)?|raised?|updat(?:e|ed|es|ing)|upgrad(?:e|ed|es)|keep in sync|kept? up)\b/i

function commentOf(line: string): string {
  const at = line.search(/(?:^|\s)#/)
  return at === -1 ? '' : line.slice(at)
}
