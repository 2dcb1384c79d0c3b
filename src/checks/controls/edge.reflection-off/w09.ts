import { liveCheck } from '../../check.ts'

export const w09 = liveCheck({
  id: 'W09',
  title: 'The gRPC listener answers neither version of reflection',
  vantage: 'network',
  safety: 'read-only',
  rule: async () => (await import('./w09-rule.ts')).w09Rule,
})
