import { RetentionStore, type ConnectionSettings } from '#store'
import { StartError } from './start-error.ts'

// It reads whole months, in pages.
const statementTimeoutMs = 60_000

/** Works as the maintenance role. @throws StartError where the connection is not of that role. */
export async function withRetentionStore<Result>(
  settings: ConnectionSettings,
  work: (store: RetentionStore) => Promise<Result>,
): Promise<Result> {
  const store = new RetentionStore({ ...settings, statementTimeoutMs })
  try {
    const { name, mayPrune } = await store.role().catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      const todo = 'check database.maintenance, and that PostgreSQL runs and accepts this role'
      throw new StartError('the database cannot be reached as the maintenance role', [`${reason}; ${todo}`], error)
    })
    if (mayPrune) return await work(store)
    throw new StartError(`the role ${name} is not the maintenance role of this deployment`, [
      'run `portcullis migrate` first, and name the role portcullis_maintenance in database.maintenance',
    ])
  } finally {
    await store.close()
  }
}
