import { describe, expect, it } from 'vitest'
import { contextsIn, flowsOf } from './expression-flow.ts'
import { expressionsIn, parseExpression } from './expressions.ts'

const flowing = (text: string): readonly string[] => {
  const expression = parseExpression(text)
  if (expression === undefined) throw new Error(`refused: ${text}`)
  return flowsOf(expression).flatMap((flow) => (flow.kind === 'context' ? [flow.context.path.join('.')] : []))
}

describe('expressions', () => {
  it.each([
    ['github.event.issue.title', ['github.event.issue.title']],
    ["github['event'].issue['Title']", ['github.event.issue.title']],
    ['GitHub.Event.commits[0].message', ['github.event.commits.0.message']],
    ['github.event.commits.*.message', ['github.event.commits.*.message']],
    ['github.event[inputs.x].title', ['github.event.?.title']],
    ["format('{0}', github.head_ref)", ['github.head_ref']],
    ["join(github.event.commits.*.message, ', ')", ['github.event.commits.*.message']],
    ['fromJSON(toJSON(github.event)).issue.title', ['github.event']],
    ["inputs.fast && '--fast' || ''", []],
    ["github.event_name == 'push' && github.sha || github.head_ref", ['github.sha', 'github.head_ref']],
    ["contains(github.event.pull_request.title, 'x')", []],
    ['!github.head_ref', []],
    ["case(github.head_ref == 'a', inputs.b, inputs.c)", ['inputs.b', 'inputs.c']],
    ['(((github.head_ref)))', ['github.head_ref']],
    ['-1.5e3 == 0xff || null', []],
    ["'it''s }} here'", []],
  ])('V10: of `%s` gets into the result %j', (text, expected) => {
    expect(flowing(text)).toEqual(expected)
  })

  it.each(['', 'a b', 'a.', 'a[', 'f(', "'open", 'a ? b : c', '"double"', `${'('.repeat(60)}a${')'.repeat(60)}`, '0x'])(
    'V10: what GitHub refuses is no expression: `%s`',
    (text) => {
      expect(parseExpression(text)).toBeUndefined()
    },
  )

  it('V10: expressions are found with their place, whatever their strings hold', () => {
    const text = "a ${{ b }} c ${{ format('}}', d) }} ${{ open"
    expect(expressionsIn(text).map(({ start, end }) => text.slice(start, end))).toEqual([
      '${{ b }}',
      "${{ format('}}', d) }}",
    ])
  })

  it('V10: a context that only a condition looks at is named too', () => {
    const expression = parseExpression("a.b == 'x' && c[d.e] || f(g)")
    expect(expression === undefined ? [] : contextsIn(expression).map(({ path }) => path.join('.'))).toEqual([
      'a.b',
      'c.?',
      'd.e',
      'g',
    ])
  })

  it('V10: a text of nothing but openings is read in linear time', () => {
    expect(expressionsIn('${{'.repeat(500_000))).toEqual([])
  })
})
