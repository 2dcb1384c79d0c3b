import { contextsIn } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import { option } from '../../collect/publishing/publishing-facts.ts'
import { invocationsIn } from '../../collect/shell/invocations.ts'
import { scriptOf } from '../../collect/shell/script.ts'
import { inputOf } from '../../collect/workflows/uses.ts'
import type { ScalarValue, MapValue } from '../../collect/values/value.ts'
import type { Step } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { isAppToken } from './scope.ts'

// By their name in lower case, as expressions are compared.
type Ids = ReadonlyMap<string, string>

// Programs look for these names: they say nothing of what the token is for.
const generic = /^(?:GH_TOKEN|GITHUB_TOKEN|GH_ENTERPRISE_TOKEN|GITHUB_API_TOKEN)$/

/** One token for two repositories, and two tokens in one variable. */
export function useFindings(steps: readonly Step[]): readonly Evidence[] {
  const ids = new Map(
    steps
      .filter((step) => isAppToken(step))
      .flatMap(({ node }) => [node.text('id') ?? []].flat().map((id) => [id.toLowerCase(), id])),
  )
  if (ids.size === 0) return []
  const targets = new Map<string, string>()
  const variables = new Map<string, string>()
  return steps.flatMap((step) => [
    ...secondTarget(step, ids, targets),
    ...sameStepTwice(step, ids),
    ...reusedVariable(step, ids, variables),
  ])
}

function secondTarget(step: Step, ids: Ids, targets: Map<string, string>): readonly Evidence[] {
  const held = [...tokensIn(step.node.map('with'), ids), ...tokensIn(step.node.map('env'), ids)]
  return held.flatMap(({ id, value }) => {
    const target = targetOf(step)
    if (target === undefined) return []
    const first = targets.get(id)
    if (first === undefined) targets.set(id, target)
    return first === undefined || first === target
      ? []
      : [
          failing(value, `The token of step "${id}" is used for ${first} and for ${target}: ask for one token each.`, {
            subject: `${id} ${target}`,
          }),
        ]
  })
}

// The repository that a step works on, where it is written out.
function targetOf(step: Step): string | undefined {
  const input = inputOf(step, 'repository') ?? inputOf(step, 'repo')
  if (input !== undefined) return literal(input)
  if (step.run === undefined || !/--repo|-R\b/.test(step.run.text)) return undefined
  for (const { name, args } of invocationsIn(scriptOf(step.run))) {
    const repository = name === 'gh' ? option(args, '--repo', '-R') : undefined
    if (repository !== undefined) return literal(repository)
  }
  return undefined
}

function literal(text: string): string | undefined {
  return text.includes('$') ? undefined : text.toLowerCase()
}

// Two names of one step for one token: each is there for a target of its own.
function sameStepTwice({ node }: Step, ids: Ids): readonly Evidence[] {
  const first = new Map<string, string>()
  return tokensIn(node.map('env'), ids).flatMap(({ id, name, value }) => {
    const before = first.get(id)
    if (before === undefined) first.set(id, name)
    if (before === undefined || (generic.test(name) && generic.test(before))) return []
    return [
      failing(
        value,
        `The token of step "${id}" stands in ${before} and in ${name}: ask for one token for each target.`,
        {
          confidence: 'medium',
          subject: `${id} ${name}`,
        },
      ),
    ]
  })
}

function reusedVariable({ node }: Step, ids: Ids, variables: Map<string, string>): readonly Evidence[] {
  return tokensIn(node.map('env'), ids).flatMap(({ id, name, value }) => {
    const first = variables.get(name)
    if (first === undefined) variables.set(name, id)
    if (first === undefined || first === id || generic.test(name)) return []
    return [
      doubtful(
        value,
        `${name} holds the token of step "${first}" before and that of step "${id}" here: give each its own variable.`,
        {
          confidence: 'medium',
          subject: `${name} ${id}`,
        },
      ),
    ]
  })
}

function tokensIn(
  map: MapValue | undefined,
  ids: Ids,
): readonly { readonly id: string; readonly name: string; readonly value: ScalarValue }[] {
  return (map?.entries ?? []).flatMap(({ key, value }) => {
    if (value.kind !== 'scalar' || !value.text.includes('${{')) return []
    const held = new Set(
      expressionsIn(value.text).flatMap(({ expression }) =>
        (expression === undefined ? [] : contextsIn(expression)).flatMap(({ path }) => tokenOf(path, ids)),
      ),
    )
    return [...held].map((id) => ({ id, name: key.text, value }))
  })
}

function tokenOf([scope, id = '', kind, output]: readonly string[], ids: Ids): readonly string[] {
  if (scope !== 'steps' || kind !== 'outputs' || (output !== 'token' && output !== 'app_token')) return []
  return [ids.get(id) ?? []].flat()
}
