import { addKey, promoteKeys, readKeyFile } from '#secrets'
import { asStartError, choiceOf, openSecrets } from './secrets.ts'
import { withDeployment, type Deployment, type Place } from './secrets-deployment.ts'
import { StartError } from './start-error.ts'

export interface RotateOptions {
  readonly place: Place
  /** Only makes the next key, so that it can be given to every machine before it is used. */
  readonly prepare: boolean
  readonly progress: (done: number, total: number) => void
}

export interface RotateReport {
  /** The id of the key that wraps now; for one that was only prepared, of that one. */
  readonly newest: string
  readonly prepared: boolean
  /** It finished what an earlier one had begun, and made no key. */
  readonly resumed: boolean
  readonly rewrapped: number
  readonly skipped: number
}

/** Makes or promotes a master key and wraps every stored secret with it, while the server goes on (SPEC S2). */
export function rotateSecrets(options: RotateOptions): Promise<RotateReport> {
  return withDeployment(options.place, (deployment) => rotate(deployment, options))
}

async function rotate({ config, connection, clock, log }: Deployment, options: RotateOptions): Promise<RotateReport> {
  const choice = choiceOf(config.secrets)
  if (choice === undefined)
    throw new StartError('no provider of master keys is configured', [
      'set secrets.keyFile to a file made with `portcullis secrets generate-key --out FILE`, or secrets.provider',
    ])
  const store = await openSecrets(config, connection, clock, log)
  if (store === undefined) throw new Error('a provider without a store')
  try {
    if (options.prepare) {
      if (choice.kind !== 'file')
        throw new StartError('only a key file can be prepared', ['Vault and KMS know a new key everywhere at once'])
      const { id } = addKey(choice.file, { prepared: true })
      return { newest: id, prepared: true, resumed: false, rewrapped: 0, skipped: 0 }
    }
    let resumed = false
    const prepare = async (stale: number): Promise<void> => {
      // What is stale already belongs to a rotation that did not end: it is finished, and no further key made.
      resumed = stale > 0
      if (choice.kind === 'file') advanceFile(choice.file, resumed)
      else if (!resumed) await store.provider.rotate?.()
    }
    const result = await store.stored.rewrap(store.envelopes, prepare, options.progress).catch((error: unknown) => {
      throw asStartError(error)
    })
    if (result === undefined)
      throw new StartError('another rotation is under way', ['wait for its end, and run this again'])
    return { ...result, prepared: false, resumed }
  } finally {
    await store.close()
  }
}

/** A key that was prepared is promoted in any case: somebody wanted it. */
function advanceFile(file: string, resumed: boolean): void {
  if (readKeyFile(file).some(({ prepared }) => prepared)) promoteKeys(file)
  else if (!resumed) addKey(file, { prepared: false })
}
