import type { Expression, FoundExpression } from './expressions.ts'

/** The paths of all contexts that an expression names, wherever in it: `['secrets', 'npm_token']`. */
export function contextsIn({ expression }: FoundExpression): readonly (readonly string[])[] {
  return expression === undefined ? [] : pathsIn(expression)
}

function pathsIn(expression: Expression): readonly (readonly string[])[] {
  if (expression.kind === 'literal') return []
  if (expression.kind === 'context') return [expression.path, ...expression.computed.flatMap((each) => pathsIn(each))]
  return expression.of.flatMap((each) => pathsIn(each))
}
