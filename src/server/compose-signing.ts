import type { Clock } from '#core'
import type { SealPort } from '#hub'
import type { Envelopes } from '#secrets'
import {
  signingKeyPlace,
  SigningKeys,
  SingleUse,
  singleUseDefaults,
  type CachedTable,
  type ConnectionSettings,
} from '#store'
import { SignedRequests } from './signed-requests.ts'

export interface Signing {
  /** What may be used once, for every replica. */
  readonly singleUse: SingleUse
  readonly signatures: SignedRequests
  /** Undefined where no master keys are configured. */
  readonly sealing: () => SealPort | undefined
  /** For the keys in memory. */
  readonly tables: readonly CachedTable[]
  close(): Promise<void>
}

interface SigningParts {
  readonly connection: ConnectionSettings
  readonly clock: Clock
  /** Undefined where no master keys are configured, and until they are opened. */
  readonly envelopes: () => Envelopes | undefined
  readonly fault: (error: unknown) => void
}

/** Signed requests: their keys, and the nonces that were used (SPEC G16). */
export function composeSigning({ connection, clock, envelopes, fault }: SigningParts): Signing {
  const singleUse = new SingleUse({ connection, ...singleUseDefaults })
  const keys = new SigningKeys(envelopes)
  const signatures = new SignedRequests({ keys, singleUse, clock, fault })
  const sealing = (): SealPort | undefined => {
    const to = envelopes()
    return to && { seal: (secret, tenantId, id) => to.seal(secret, signingKeyPlace(tenantId, id)) }
  }
  return { singleUse, signatures, sealing, tables: [keys], close: () => singleUse.close() }
}
