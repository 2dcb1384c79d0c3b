import { configCheck } from '../../check.ts'

export const f17 = configCheck({
  id: 'F17',
  title: 'The legacy token is off',
  rule: async () => (await import('./f17-rule.ts')).f17Rule,
})
