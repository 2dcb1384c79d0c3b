import { refuse } from '#core'
import type { Step } from '../chain.ts'

/** A key that demands signed requests: without a signature the body is not even read. One that is there is verified with it (SPEC G16). */
export const requireSignature: Step = ({ method, signed }, { key }) => {
  if (key?.requireSignature !== true || method.risk !== 'high' || signed !== undefined) return undefined
  return refuse('auth.signature_invalid', `${key.id} takes ${method.path} with a signed request only`)
}
