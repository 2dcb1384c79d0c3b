import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import type { Config } from '#config'
import type { Clock } from '#core'
import {
  Envelopes,
  KeyFileError,
  KeysUnavailable,
  openProvider,
  UnreadableSecret,
  WrapBudget,
  type OpenProvider,
} from '#secrets'
import type { ProviderChoice } from '#secrets'
import { StoredEnvelopes, type ConnectionSettings } from '#store'
import { StartError } from './start-error.ts'

/** What everything that stores secrets uses. */
export interface SecretStore {
  readonly envelopes: Envelopes
  readonly stored: StoredEnvelopes
  readonly provider: OpenProvider
  close(): Promise<void>
}

/**
 * Opens the provider of master keys that the settings name; undefined where they name none. Refuses to go on where stored secrets
 * need a key that is not at hand: it names the key by its id, and shows none (SPEC S1).
 */
export async function openSecrets(
  { secrets }: Config,
  connection: ConnectionSettings,
  clock: Clock,
  log: Logger,
): Promise<SecretStore | undefined> {
  const stored = new StoredEnvelopes(connection)
  try {
    const choice = choiceOf(secrets)
    if (choice === undefined) {
      await nothingStored(stored)
      await stored.close()
      return undefined
    }
    const provider = openProvider(choice, {
      monotonic: () => clock.monotonic(),
      budget: new WrapBudget({
        reserve: (keyId, count) => stored.reserveWraps(keyId, count),
        alarm: (keyId, wraps) =>
          log.error(
            { event: 'secrets.key_worn', keyId, wraps },
            'this master key has wrapped often: run `portcullis secrets rotate`',
          ),
      }),
      broken: (error) =>
        log.error(
          { event: 'secrets.key_file_broken', err: error },
          'the key file changed and cannot be used; the keys that were read before are',
        ),
      freshMs: secrets.cacheSeconds * 1000,
      outageMs: secrets.outageSeconds * 1000,
    })
    const envelopes = new Envelopes(provider.provider)
    await keysAtHand(envelopes, stored)
    return {
      envelopes,
      stored,
      provider,
      close: async () => void (await Promise.all([stored.close(), provider.close()])),
    }
  } catch (error) {
    await stored.close()
    throw asStartError(error)
  }
}

/** The provider in its own terms; undefined where none is configured. */
export function choiceOf(secrets: Config['secrets']): ProviderChoice | undefined {
  const { provider, keyFile, vault, kms } = secrets
  if (provider === 'file') return keyFile === undefined ? undefined : { kind: 'file', file: keyFile }
  if (provider === 'kms') return kms && { kind: 'kms', kms }
  if (vault === undefined) return undefined
  const { tokenFile, roleId = '', secretIdFile = '', roleMount, caFile, ...rest } = vault
  return {
    kind: 'vault',
    vault: {
      ...rest,
      ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
      login:
        tokenFile === undefined
          ? { kind: 'approle', mount: roleMount, roleId, secretIdFile }
          : { kind: 'token', tokenFile },
    },
  }
}

async function nothingStored(stored: StoredEnvelopes): Promise<void> {
  const counts = await stored.count()
  if (counts.length === 0) return
  throw new StartError('the database holds secrets that need a master key, and the settings name none', [
    `set secrets.keyFile, or the provider that holds ${idsOf(counts)}`,
  ])
}

async function keysAtHand(envelopes: Envelopes, stored: StoredEnvelopes): Promise<void> {
  await envelopes.prove()
  const missing = []
  for (const count of await stored.count()) if (!(await envelopes.knows(count.keyId))) missing.push(count)
  if (missing.length === 0) return
  throw new StartError(
    'stored secrets cannot be read with the master keys at hand',
    missing.map(
      ({ kind, keyId, envelopes: many }) =>
        `${many} of kind ${kind} need the key ${keyId}: restore it from its backup into secrets.keyFile, or name the provider that holds it`,
    ),
  )
}

function idsOf(counts: readonly { readonly keyId: string }[]): string {
  return [...new Set(counts.map(({ keyId }) => keyId))].join(', ')
}

/** What the person who starts or rotates can put right is said as such. */
export function asStartError(error: unknown): unknown {
  if (error instanceof KeyFileError) return new StartError('the master keys cannot be read', [error.message], error)
  if (error instanceof UnreadableSecret) return new StartError('a stored secret is damaged', [error.message], error)
  if (error instanceof KeysUnavailable)
    return new StartError('the provider of master keys cannot be used', [error.message], error)
  return error
}
