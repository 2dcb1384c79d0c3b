import { basename } from 'node:path'
import type { Config } from '#config'
import { readKeyFile } from '#secrets'
import { StoredEnvelopes, type EnvelopeCount } from '#store'
import { keyRows, type KeyRow } from './secrets-key-rows.ts'
import { withDeployment, type Deployment, type Place } from './secrets-deployment.ts'

export interface Inventory {
  readonly keys: readonly KeyRow[]
  /** Why counts are missing: the rest is from the settings. */
  readonly databaseProblem: string | null
}

/** Every key of a deployment: what it protects, where it is, how it is backed up and what its loss means; never a key (SPEC S7). */
export function listSecrets(place: Place): Promise<Inventory> {
  return withDeployment(place, inventory)
}

async function inventory({ config, connection, home }: Deployment): Promise<Inventory> {
  const stored = new StoredEnvelopes(connection)
  try {
    const [envelopes, credentials] = await Promise.all([stored.count(), stored.credentials()])
    const keys = [...masterKeys(config, envelopes), ...keyRows({ config, credentials, home })]
    return { keys, databaseProblem: null }
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error)
    const keys = [...masterKeys(config, undefined), ...keyRows({ config, credentials: undefined, home })]
    return { keys, databaseProblem: `the database could not be asked, so counts are unknown: ${problem}` }
  } finally {
    await stored.close()
  }
}

/** Each key by its id, also one that is needed and not at hand. */
function masterKeys({ secrets }: Config, counts: readonly EnvelopeCount[] | undefined): readonly KeyRow[] {
  const needed = [...new Set((counts ?? []).map(({ keyId }) => keyId))]
  const { provider, keyFile } = secrets
  if (provider === 'file') {
    const [held, problem] = heldIn(keyFile)
    const newest = held.findLast(({ prepared }) => !prepared)?.id
    const rows = held.map(({ id, prepared }) =>
      masterRow(
        id,
        prepared ? 'prepared' : id === newest ? 'wraps' : 'unwraps',
        `file ${basename(keyFile ?? '')}`,
        counts,
      ),
    )
    const missing = needed.filter((id) => !held.some((one) => one.id === id))
    return [...rows, ...missing.map((id) => masterRow(id, 'missing', problem ?? 'not at hand', counts))]
  }
  const place = provider === 'vault' ? 'Vault, transit' : 'AWS KMS'
  if (needed.length === 0) return [masterRow('of the provider', 'wraps', place, counts)]
  return needed.map((id) => masterRow(id, 'unwraps', place, counts))
}

function heldIn(file: string | undefined): readonly [ReturnType<typeof readKeyFile>, string?] {
  if (file === undefined) return [[], 'no secrets.keyFile is set']
  try {
    return [readKeyFile(file)]
  } catch (error) {
    return [[], error instanceof Error ? error.message : String(error)]
  }
}

function masterRow(
  id: string,
  state: 'wraps' | 'unwraps' | 'prepared' | 'missing',
  where: string,
  counts: readonly EnvelopeCount[] | undefined,
): KeyRow {
  const own = counts?.filter(({ keyId }) => keyId === id)
  const wraps = own?.find((one) => one.wraps !== undefined)?.wraps
  const many = own?.map(({ kind, envelopes }) => `${envelopes} of kind ${kind}`).join(', ')
  const inVault = !id.startsWith('file:')
  return {
    name: `master key ${id}`,
    state: state === 'missing' ? 'missing: restore it' : state,
    protects: many === undefined || many === '' ? 'stored secrets; none under it' : `stored secrets: ${many}`,
    count: own === undefined ? null : own.reduce((sum, one) => sum + one.envelopes, 0),
    where: wraps === undefined ? where : `${where}; has wrapped at most ${wraps} times`,
    backup: inVault
      ? 'with its provider; nothing of it is here'
      : 'copy the file apart from the database, after each rotation; keep old keys as long as backups that need them',
    loss: 'every secret under it is lost for good; with the database, whoever has it reads them',
  }
}
