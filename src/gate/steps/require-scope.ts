import { refuse } from '#core'
import type { Step } from '../chain.ts'

export const requireScope: Step = (call, progress) => {
  const { scope, ownObjects } = call.method
  if (progress.lacking !== undefined) return progress.lacking
  if (progress.caller?.scopes.has(scope) === true) return undefined
  if (ownObjects && progress.caller?.kind === 'agent') {
    progress.ownOnly = true
    return undefined
  }
  return refuse('auth.scope_missing', `scope ${scope} not held`, { detail: scope })
}
