import { configCheck } from '../../check.ts'

export const f16 = configCheck({
  id: 'F16',
  title: 'gRPC reflection is off',
  rule: async () => (await import('./f16-rule.ts')).f16Rule,
})
