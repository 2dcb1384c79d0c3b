import type * as CedarWasm from '@cedar-policy/cedar-wasm/nodejs'
import type { DetailedError, ValidationError } from '@cedar-policy/cedar-wasm/nodejs'
import type { PolicyFile, PolicyProblem } from './policy-folder.ts'
import type { Mentioned } from './question.ts'

/** Policies that passed the schema. */
export interface CheckedSet {
  readonly policies: Readonly<Record<string, string>>
  readonly mentioned: Mentioned
  readonly warnings: readonly PolicyProblem[]
}

export type Checked =
  { readonly ok: true; readonly set: CheckedSet } | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/** Each evaluation looks at every policy, about 4 microseconds each. */
export const policiesMax = 500

const problemsMax = 20
const idPattern = /^[\w.:/-]{1,100}$/

/** Everything that is wrong with the policies, or the set that they make. Changes nothing, but may be the end of the module. */
export function checkSet(cedar: typeof CedarWasm, files: readonly PolicyFile[], schema: string): Checked {
  const parsed = files.map((file) => parse(cedar, file))
  const problems = parsed.flatMap((each) => each.problems)
  const policies = parsed.flatMap((each) => each.policies)
  if (policies.length > policiesMax) problems.unshift(whole(`${policies.length} policies; at most ${policiesMax}`))
  problems.push(...wrongIds(policies))
  if (problems.length === 0 && policies.length === 0)
    problems.push(whole('there is no policy, and without one every call is denied'))
  if (problems.length > 0) return { ok: false, problems: problems.slice(0, problemsMax) }
  const texts = Object.fromEntries(policies.map(({ id, text }) => [id, text]))
  const answer = cedar.validate({ schema, policies: { staticPolicies: texts } })
  if (answer.type === 'failure') throw new Error(`the policy schema cannot be used: ${told(answer.errors)}`)
  const byId = new Map(policies.map((policy) => [policy.id, policy]))
  const errors = answer.validationErrors.map((error) => placed(error, byId))
  if (errors.length > 0) return { ok: false, problems: unique(errors).slice(0, problemsMax) }
  const warnings = unique(answer.validationWarnings.map((warning) => placed(warning, byId))).slice(0, problemsMax)
  const mentions = (name: string): boolean => policies.some(({ json }) => json.includes(JSON.stringify(name)))
  const mentioned = { remote: mentions('remote'), time: mentions('time'), actor: mentions('actor') }
  return { ok: true, set: { policies: texts, mentioned, warnings } }
}

function parse(
  cedar: typeof CedarWasm,
  file: PolicyFile,
): { readonly policies: readonly Parsed[]; readonly problems: readonly PolicyProblem[] } {
  const { name, text } = file
  const parts = cedar.policySetTextToParts(text)
  if (parts.type === 'failure') {
    const problems = parts.errors.map((error) => ({ file: name, line: lineIn(text, error), message: saying(error) }))
    return { policies: [], problems }
  }
  const problems = parts.policy_templates.map((template) => ({
    file: name,
    line: lineOf(text, template),
    message: 'this is a template, and nothing links templates here: write its principal and resource out',
  }))
  let from = 0
  const policies = inOrder(parts.policies).map((policy) => {
    const at = Math.max(from, text.indexOf(policy, from))
    from = at + policy.length
    return parsedOf(cedar, name, linesBefore(text.slice(0, at)), policy)
  })
  return { policies, problems }
}

function parsedOf(cedar: typeof CedarWasm, name: string, line: number, text: string): Parsed {
  const answer = cedar.policyToJson(text)
  if (answer.type === 'failure') throw new Error(`a policy that was parsed cannot be read: ${told(answer.errors)}`)
  const given = answer.json.annotations?.['id']
  return { id: given ?? `${name}:${line}`, given, file: name, line, text, json: JSON.stringify(answer.json) }
}

interface Parsed {
  readonly id: string
  /** As the annotation has it. */
  readonly given: string | undefined
  readonly file: string
  readonly line: number
  readonly text: string
  readonly json: string
}

/** Cedar sorts the parts by the ids it gives them in passing: policy0, policy1, policy10, policy2. */
function inOrder(parts: readonly string[]): readonly string[] {
  const places = parts.map((_, at) => at).toSorted((a, b) => (`${a}` < `${b}` ? -1 : 1))
  return parts.map((_, at) => parts[places.indexOf(at)] ?? '')
}

function whole(message: string): PolicyProblem {
  return { file: '', line: 0, message }
}

function wrongIds(policies: readonly Parsed[]): readonly PolicyProblem[] {
  const seen = new Map<string, Parsed>()
  return policies.flatMap((policy): readonly PolicyProblem[] => {
    const { id, given, file, line } = policy
    const first = seen.get(id)
    seen.set(id, first ?? policy)
    if (given !== undefined && !idPattern.test(given))
      return [{ file, line, message: 'an @id is 1 to 100 letters, digits and _ . : / -' }]
    if (first === undefined) return []
    return [{ file, line, message: `the id ${id} is taken by the policy at ${first.file}:${first.line}` }]
  })
}

function placed({ policyId, error }: ValidationError, byId: ReadonlyMap<string, Parsed>): PolicyProblem {
  const policy = byId.get(policyId)
  if (policy === undefined) return { file: '', line: 0, message: saying(error) }
  const message = saying(error).replace(`for policy \`${policyId}\`, `, '')
  return { file: policy.file, line: policy.line + lineIn(policy.text, error) - 1, message }
}

/** The same is said for each type of caller and each action. */
function unique(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const keyed = problems.map((each): [string, PolicyProblem] => [
    `${each.file}:${each.line} ${each.message.replaceAll(/Portcullis::[\w:]+(?:"[^"]*")?/g, '')}`,
    each,
  ])
  return [...new Map(keyed).values()]
}

/** The line where an error begins. Cedar counts in bytes. */
function lineIn(text: string, { sourceLocations }: DetailedError): number {
  const start = sourceLocations?.[0]?.start ?? 0
  return linesBefore(Buffer.from(text).subarray(0, start).toString())
}

function lineOf(text: string, part: string): number {
  return linesBefore(text.slice(0, Math.max(0, text.indexOf(part))))
}

function linesBefore(text: string): number {
  return text.split('\n').length
}

function saying({ message, help, sourceLocations }: DetailedError): string {
  const label = sourceLocations?.[0]?.label
  return [message, ...(label === null || label === undefined ? [] : [label]), ...(help === null ? [] : [help])].join(
    '; ',
  )
}

export function told(errors: readonly DetailedError[]): string {
  return errors.map(({ message }) => message).join('; ')
}
