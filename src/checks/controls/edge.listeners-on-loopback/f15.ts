import { configCheck } from '../../check.ts'

export const f15 = configCheck({
  id: 'F15',
  title: 'gRPC and HTTP listen on loopback',
  rule: async () => (await import('./f15-rule.ts')).f15Rule,
})
