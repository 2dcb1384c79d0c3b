import { integer, section } from './fields.ts'

export const budgets = section('What is held for calls before they are made.', {
  defaultMaxOutputTokens: integer(
    4096,
    1,
    10_000_000,
    'Output tokens that are held for a call which says no `maxOutputTokens`, of a model whose own bound is not known.',
  ),
})
