import type { Config } from '#config'
import { noServices, type ServiceActions } from '#core'
import { checkApart } from './check-apart.ts'
import { readPolicyFolder, type PolicyProblem } from './policy-folder.ts'
import { policySchema } from './schema.ts'

export interface PolicyReport {
  readonly ok: boolean
  readonly files: number
  readonly policies: number
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Actions of the services of the settings: keys can hold them as scopes, and policies can name them. */
export function serviceActions({ services }: Pick<Config, 'services'>): ServiceActions {
  return new Set(services.flatMap(({ name, actions }) => actions.map((action) => `${name}:${action}`)))
}

/** The schema that policies are validated against; with the actions of registered services, where there are settings. */
export function showPolicySchema(config?: Pick<Config, 'services'>): string {
  return policySchema(config === undefined ? noServices : serviceActions(config))
}

/** Looks at a folder of policies as the start would, without a server. */
export async function checkPolicies(dir: string, config?: Pick<Config, 'services'>): Promise<PolicyReport> {
  const read = await readPolicyFolder(dir)
  if (!read.ok) return report({ problems: read.problems })
  const checked = await checkApart({ files: read.files, schema: showPolicySchema(config) })
  const files = read.files.length
  if (!checked.ok) return report({ files, problems: checked.problems })
  const { policies, warnings } = checked.set
  return report({ files, policies: Object.keys(policies).length, warnings })
}

/** `file.cedar:12: what is wrong` */
export function showPolicyProblem({ file, line, message }: PolicyProblem): string {
  if (file === '') return message
  return line === 0 ? `${file}: ${message}` : `${file}:${line}: ${message}`
}

function report(of: {
  readonly files?: number
  readonly policies?: number
  readonly problems?: readonly PolicyProblem[]
  readonly warnings?: readonly PolicyProblem[]
}): PolicyReport {
  const { files = 0, policies = 0, problems = [], warnings = [] } = of
  const ok = problems.length === 0
  return { ok, files, policies, problems: problems.map(showPolicyProblem), warnings: warnings.map(showPolicyProblem) }
}
