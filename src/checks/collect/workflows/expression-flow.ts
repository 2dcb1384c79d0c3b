import type { Context, Expression } from './expressions.ts'

/** A value that an expression may have: a text of its own, or what a context holds. */
export type Flow =
  | { readonly kind: 'text'; readonly text: string }
  /** `whole`: an object is written out with all that is in it. */
  | { readonly kind: 'context'; readonly context: Context; readonly whole: boolean }
  | { readonly kind: 'unknown' }

// Their result is a boolean, or a digest.
const plain = new Set(['contains', 'startswith', 'endswith', 'hashfiles', 'success', 'always', 'cancelled', 'failure'])

/**
 * What gets into the result of an expression. `a && b` is `b` or something false, so that nothing of `a` gets through; of a
 * comparison nothing does.
 */
export function flowsOf(expression: Expression, whole = false): readonly Flow[] {
  switch (expression.kind) {
    case 'literal':
      return [{ kind: 'text', text: expression.value === null ? '' : String(expression.value) }]
    case 'context':
      return [{ kind: 'context', context: expression, whole }]
    case 'compare':
    case 'not':
      return [{ kind: 'text', text: 'true' }]
    case 'or':
      return expression.of.flatMap((each) => flowsOf(each, whole))
    case 'and': {
      const last = expression.of.at(-1)
      return last === undefined ? [] : [{ kind: 'text', text: '' }, ...flowsOf(last, whole)]
    }
    case 'part':
      return [...contextsThrough(expression.of[0]), { kind: 'unknown' }]
    case 'call':
      return throughCall(expression)
    default:
      return expression satisfies never
  }
}

function throughCall({ name, of }: Extract<Expression, { kind: 'call' }>): readonly Flow[] {
  if (plain.has(name)) return [{ kind: 'text', text: 'true' }]
  // case(condition, value, condition, value, …, otherwise)
  if (name === 'case') {
    const values = of.filter((_, index) => index % 2 === 1 || index === of.length - 1)
    return values.flatMap((each) => flowsOf(each))
  }
  const whole = name === 'tojson' || name === 'fromjson'
  return [...of.flatMap((each) => contextsThrough(each, whole)), { kind: 'unknown' }]
}

// What a function makes of literals is not followed.
function contextsThrough(expression: Expression, whole = true): readonly Flow[] {
  return flowsOf(expression, whole).filter(({ kind }) => kind === 'context')
}

/** Every context that is named in an expression, also where only a condition looks at it. */
export function contextsIn(expression: Expression): readonly Context[] {
  if (expression.kind === 'literal') return []
  if (expression.kind === 'context') return [expression, ...expression.computed.flatMap(contextsIn)]
  return expression.of.flatMap(contextsIn)
}
