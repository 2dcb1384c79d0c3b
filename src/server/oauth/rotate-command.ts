import { parseDuration } from '#core'
import { OAuthKeys } from '#store'
import { asStartError, openSecrets } from '../secrets.ts'
import { withDeployment, type Place } from '../secrets-deployment.ts'
import { StartError } from '../start-error.ts'
import { KeyRotation } from './keys.ts'

export interface TokenKeyReport {
  readonly algorithm: string
  /** How long the new key is published before it signs. */
  readonly signsInSeconds: number
}

/** Makes the next key that signs tokens, however young the last one is; servers that run take it over by themselves (SPEC A2). */
export function rotateTokenKeys(place: Place): Promise<TokenKeyReport> {
  return withDeployment(place, async ({ config, connection, clock, log }) => {
    const store = await openSecrets(config, connection, clock, log)
    if (store === undefined)
      throw new StartError('no provider of master keys is configured', ['set secrets.keyFile, or secrets.provider'])
    const { accessTokenTtl, keys: wanted } = config.oauth
    const fault = (error: unknown): never => {
      throw asStartError(error)
    }
    const keys = new OAuthKeys({
      connection,
      envelopes: () => store.envelopes,
      changed: () => undefined,
      failed: fault,
    })
    try {
      const rotation = new KeyRotation({
        keys,
        clock,
        algorithm: wanted.algorithm,
        rotateAfterMs: parseDuration(wanted.rotateAfter),
        publishAheadMs: parseDuration(wanted.publishAhead),
        tokenMs: parseDuration(accessTokenTtl),
        refresh: () => Promise.resolve(),
        failed: fault,
      })
      await rotation.rotate().catch(fault)
      return { algorithm: wanted.algorithm, signsInSeconds: Math.ceil(parseDuration(wanted.publishAhead) / 1000) }
    } finally {
      await keys.close()
      await store.close()
    }
  })
}
