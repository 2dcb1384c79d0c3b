import { refuse } from '#core'
import type { Step } from '../chain.ts'

export const requireScope: Step = (call, progress) => {
  const { access, risk, scope, ownObjects } = call.method
  if (progress.lacking !== undefined) return progress.lacking
  // Many share it, and nobody knows who: whatever its scopes (SPEC G8).
  if (progress.caller?.credential.kind === 'legacy_token' && access === 'write' && risk === 'high')
    return refuse('auth.scope_missing', 'the legacy token never reaches writes of high risk', { detail: scope })
  if (progress.caller?.scopes.has(scope) === true) return undefined
  if (ownObjects && progress.caller?.kind === 'agent') {
    progress.ownOnly = true
    return undefined
  }
  return refuse('auth.scope_missing', `scope ${scope} not held`, { detail: scope })
}
