import { liveCheck } from '../../check.ts'

export const w01 = liveCheck({
  id: 'W01',
  title: 'The sockets of the listeners are bound to loopback',
  vantage: 'host',
  safety: 'read-only',
  rule: async () => (await import('./w01-rule.ts')).w01Rule,
})
