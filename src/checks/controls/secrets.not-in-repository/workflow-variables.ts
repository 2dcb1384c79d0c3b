import type { Action, Step, Workflow } from '../../collect/workflows/workflows.ts'
import type { Evidence } from '../../evidence.ts'
import { ofVariables } from './given-secrets.ts'

// Only where a name of a secret has something other than an expression behind it there is anything to find.
const mayHold =
  /(?:SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|(?:API|SECRET|ACCESS|PRIVATE|SIGNING|ENCRYPTION|JWT|HMAC)[_-]?KEY|KEY_?BASE)["']?[ \t]*:(?![ \t]*["']?\$\{\{)/i

/** Secrets that a workflow or an action gives to its steps and containers as they are. */
export function workflowVariables(document: Workflow | Action): readonly Evidence[] {
  if (!mayHold.test(document.file.text)) return []
  if (!('jobs' in document)) return document.steps.flatMap(ofStep)
  return [
    ...ofVariables(document.root.map('env'), false),
    ...document.jobs.flatMap(({ node, steps }) => [
      ...ofVariables(node.map('env'), false),
      ...ofVariables(node.map('with'), false),
      ...ofVariables(node.map('secrets'), false),
      ...ofVariables(node.map('container')?.map('env'), true),
      // A container beside the job is made for it, and ends with it.
      ...(node.map('services')?.entries ?? []).flatMap(({ value }) =>
        value.kind === 'map' ? ofVariables(value.map('env'), true) : [],
      ),
      ...steps.flatMap(ofStep),
    ]),
  ]
}

function ofStep({ node }: Step): readonly Evidence[] {
  return [...ofVariables(node.map('env'), false), ...ofVariables(node.map('with'), false)]
}
