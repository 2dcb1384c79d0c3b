import { contextsIn } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn, parseExpression, type Expression, type Operation } from '../../collect/workflows/expressions.ts'
import type { MapValue } from '../../collect/values/value.ts'
import type { Step } from '../../collect/workflows/workflows.ts'

/** What the `if` of a job or step lets through. */
export interface Guard {
  /** It is never reached by code of outsiders under this event. */
  readonly closed: boolean
  /** Somebody, or something, decides who gets through. */
  readonly gated: boolean
}

const merged = 'github.event.pull_request.merged'

const open: Guard = { closed: false, gated: false }

/** The guard of the `if` at a job or step under an event. */
export function guardOf(node: MapValue, event: string): Guard {
  const written = node.text('if')
  if (written === undefined) return open
  const expression = conditionOf(written)
  return expression === undefined ? open : guard(expression, event)
}

// With braces it is the condition only where nothing stands around them: a line end behind them, as a block of lines has it, makes it
// a text, and every text is true.
function conditionOf(written: string): Expression | undefined {
  if (!written.includes('${{')) return parseExpression(written)
  const [only] = expressionsIn(written)
  return only?.start === 0 && only.end === written.length ? only.expression : undefined
}

/** Whether a step before stops the job for some people. */
export function stops({ node, uses, run }: Step): boolean {
  if (uses?.kind === 'repository' && /permission|membership|team|trusted|authori[sz]/i.test(uses.name)) return true
  const code = run?.text ?? node.map('with')?.text('script') ?? ''
  if (/getCollaboratorPermission|author_association|\/collaborators\//.test(code)) return true
  const expression = conditionOf(node.text('if') ?? '')
  return expression !== undefined && /\bexit\s+[1-9]|setFailed/.test(code) && aboutPeople(expression)
}

// Also where the repository of the pull request is looked at.
function aboutPeople(expression: Expression): boolean {
  return (
    looksAtPeople(expression) ||
    contextsIn(expression).some(({ path }) => isFork(path) || isHeadRepository(path.join('.')))
  )
}

export function both(a: Guard, b: Guard): Guard {
  return { closed: a.closed || b.closed, gated: a.gated || b.gated }
}

function guard(expression: Expression, event: string): Guard {
  switch (expression.kind) {
    case 'and':
      return expression.of.map((each) => guard(each, event)).reduce(both, open)
    case 'or': {
      const all = expression.of.map((each) => guard(each, event))
      // Alternatives that this event never reaches say nothing.
      const reachable = all.filter(({ closed }) => !closed)
      return { closed: reachable.length === 0, gated: reachable.length > 0 && reachable.every(({ gated }) => gated) }
    }
    case 'compare':
      return compared(expression, event)
    case 'not': {
      const [of] = expression.of
      const fork = of?.kind === 'context' && isFork(of.path)
      return { closed: fork, gated: of !== undefined && looksAtPeople(of) }
    }
    case 'context':
      // What was merged is code of this repository.
      if (expression.path.join('.') === merged) return { closed: true, gated: false }
      return { closed: false, gated: looksAtPeople(expression) }
    case 'call':
      return { closed: false, gated: looksAtPeople(expression) }
    case 'literal':
    case 'part':
      return open
    default:
      return expression satisfies never
  }
}

function compared({ of, operator }: Operation, event: string): Guard {
  const [left, right] = of
  if (left === undefined || right === undefined || of.length !== 2) return open
  for (const [context, other] of [
    [left, right],
    [right, left],
  ] as const) {
    if (context.kind !== 'context') continue
    const text = other.kind === 'literal' ? String(other.value) : undefined
    const name = context.path.join('.')
    const equal = operator === '=='
    if (text !== undefined && (equal || operator === '!=')) {
      if (name === 'github.event_name') return { closed: (text === event) !== equal, gated: false }
      // The run that it follows was not one of a pull request.
      if (name === 'github.event.workflow_run.event' && !text.startsWith('pull_request') && equal)
        return { closed: true, gated: false }
      if (name === 'github.event.workflow_run.event' && text.startsWith('pull_request') && !equal)
        return { closed: text === 'pull_request', gated: true }
      if (name === merged && (text === 'true') === equal) return { closed: true, gated: false }
      if (isFork(context.path) && (text === 'false') === equal) return { closed: true, gated: false }
    }
    if (equal && isHeadRepository(name) && isOwnRepository(other)) return { closed: true, gated: false }
  }
  return { closed: false, gated: of.some(looksAtPeople) }
}

function isFork(path: readonly string[]): boolean {
  return /^github\.event\.(?:pull_request\.head\.repo|workflow_run\.head_repository)\.fork$/.test(path.join('.'))
}

function isHeadRepository(name: string): boolean {
  return /^github\.event\.(?:pull_request\.head\.(?:repo\.(?:full_name|id|owner\.login)|user\.login)|workflow_run\.head_repository\.(?:full_name|id|owner\.login))$/.test(
    name,
  )
}

function isOwnRepository(other: Expression): boolean {
  // A name that is written out is that of one repository, or of one owner.
  if (other.kind === 'literal') return typeof other.value === 'string' && other.value !== ''
  const own =
    /^github\.(?:repository(?:_owner|_id)?|event\.repository\.(?:full_name|id|owner\.login)|event\.pull_request\.base\.repo\.(?:full_name|id|owner\.login))$/
  return other.kind === 'context' && own.test(other.path.join('.'))
}

// Labels, authors, associations, results of a step or job that may have asked for rights.
function looksAtPeople(expression: Expression): boolean {
  return contextsIn(expression).some(({ path }) => {
    if (/^(?:result|outcome|conclusion)$/.test(path.at(-1) ?? '')) return false
    return /^(?:github\.(?:actor|triggering_actor|event\.(?:label|sender|action|pull_request\.(?:labels|user|author_association)|(?:comment|issue)\.(?:user|author_association)|issue\.labels|workflow_run\.(?:actor|triggering_actor|head_branch)))|steps|needs|vars)(?:\.|$)/.test(
      path.join('.'),
    )
  })
}
