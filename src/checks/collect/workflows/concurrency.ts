import { expressionsIn, type Expression } from './expressions.ts'
import type { MapValue, ScalarValue, Value } from '../values/value.ts'

/** The `concurrency` of a workflow or a job. */
export interface Concurrency {
  readonly node: Value
  readonly group: ScalarValue | undefined
  readonly cancel: ScalarValue | undefined
}

/** Whether a text is the same in every run; `varies` names what makes it differ. */
export type Constancy =
  { readonly state: 'constant' } | { readonly state: 'varies'; readonly by: string } | { readonly state: 'unclear' }

export function concurrencyOf(map: MapValue): Concurrency | undefined {
  const node = map.get('concurrency')
  if (node?.kind === 'scalar' && node.value !== null) return { node, group: node, cancel: undefined }
  if (node?.kind !== 'map') return undefined
  return { node, group: node.scalar('group'), cancel: node.scalar('cancel-in-progress') }
}

export function constancyOf(text: string): Constancy {
  let unclear = false
  for (const { expression } of expressionsIn(text)) {
    const found: Constancy = expression === undefined ? { state: 'unclear' } : valueOf(expression)
    if (found.state === 'varies') return found
    if (found.state === 'unclear') unclear = true
  }
  return { state: unclear ? 'unclear' : 'constant' }
}

/** Whether running releases are cancelled. */
export function cancels(cancel: ScalarValue | undefined): 'no' | 'yes' | 'unclear' {
  if (cancel === undefined || cancel.value === null) return 'no'
  const [found] = expressionsIn(cancel.text)
  if (found === undefined) return cancel.text.trim() === 'true' ? 'yes' : 'no'
  const { expression } = found
  if (expression?.kind === 'literal') return expression.value === true ? 'yes' : 'no'
  return expression !== undefined && isPullRequestOnly(expression) ? 'no' : 'unclear'
}

// The same for every run of one workflow in one repository.
const constantContexts = new Set([
  'github.workflow',
  'github.repository',
  'github.repository_id',
  'github.repository_owner',
  'github.repository_owner_id',
  'github.event.repository.name',
  'github.event.repository.full_name',
  'github.server_url',
  'github.api_url',
])

function valueOf(expression: Expression): Constancy {
  switch (expression.kind) {
    case 'literal':
      return { state: 'constant' }
    case 'context': {
      const name = expression.path.join('.')
      const constant = constantContexts.has(name) || expression.path[0] === 'vars'
      return constant ? { state: 'constant' } : { state: 'varies', by: name }
    }
    case 'call':
      return expression.name === 'hashfiles' ? { state: 'varies', by: 'hashFiles' } : all(expression.of)
    case 'and': {
      // What stands before the last operand only decides whether it counts.
      const last = expression.of.at(-1)
      return last === undefined ? { state: 'unclear' } : valueOf(last)
    }
    case 'or': {
      const operands = expression.of.filter((each) => !isOfPullRequest(each))
      const values = operands.map((each) => valueOf(each))
      const varying = values.find(({ state }) => state === 'varies')
      if (varying !== undefined && values.every(({ state }) => state === 'varies')) return varying
      const guarded = operands.some(({ kind }) => kind === 'and')
      return varying === undefined && !guarded && values.every(({ state }) => state === 'constant')
        ? { state: 'constant' }
        : { state: 'unclear' }
    }
    case 'compare':
    case 'not':
      return all(expression.of).state === 'constant' ? { state: 'constant' } : { state: 'unclear' }
    case 'part':
    default:
      return { state: 'unclear' }
  }
}

function all(of: readonly Expression[]): Constancy {
  const values = of.map((each) => valueOf(each))
  return (
    values.find(({ state }) => state === 'varies') ??
    values.find(({ state }) => state === 'unclear') ?? { state: 'constant' }
  )
}

// Empty in every run that is not of a pull request.
function isOfPullRequest(expression: Expression): boolean {
  if (expression.kind !== 'context') return false
  return /^github\.(?:head_ref|base_ref|event\.(?:pull_request\b|number$))/.test(expression.path.join('.'))
}

// `github.event_name == 'pull_request'`: never true of a release.
function isPullRequestOnly(expression: Expression): boolean {
  if (expression.kind === 'and') return expression.of.some((each) => isPullRequestOnly(each))
  if (expression.kind === 'or') return expression.of.every((each) => isPullRequestOnly(each))
  const says = (each: Expression): boolean =>
    each.kind === 'literal' && typeof each.value === 'string' && each.value.startsWith('pull_request')
  const asks = (each: Expression): boolean => each.kind === 'context' && each.path.join('.') === 'github.event_name'
  if (expression.kind === 'call')
    return expression.name === 'startswith' && expression.of.some(says) && expression.of.some(asks)
  return (
    expression.kind === 'compare' &&
    expression.operator === '==' &&
    expression.of.some(says) &&
    expression.of.some(asks)
  )
}
