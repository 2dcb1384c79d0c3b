import type { Client } from 'pg'
import type { ReadScope } from '#hub'
import type { Statement } from './connection.ts'
import { causeOf, sendAll } from './pipeline.ts'

const identityText = `select set_config('transaction_read_only', 'on', true), set_config('portcullis.tenant', $1, true),
  set_config('portcullis.platform', $2, true), set_config('enable_sort', $3, true)`

/**
 * The rows that a tenant, or the platform, may read: under row-level security, in a transaction of its own. It has no begin and no
 * commit: what stands before one Sync is one transaction, and the Sync ends it, also where the statement failed. So whoever is next
 * on the connection finds nothing to roll back, and nobody else's tenant.
 */
export async function readAs<Row>(
  client: Client,
  { tenantId, platform }: ReadScope,
  statement: Statement,
  unsorted = false,
): Promise<readonly Row[]> {
  const values = [tenantId, platform ? 'on' : 'off', unsorted ? 'off' : 'on']
  const identity: Statement = { name: 'read.identity', text: identityText, values }
  const [, answer] = await sendAll(client, [identity, statement]).catch((error: unknown) => {
    throw new Error('a read of the store failed', { cause: causeOf(error) })
  })
  return (answer?.rows ?? []) as readonly Row[]
}
