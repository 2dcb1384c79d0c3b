import { Client, DatabaseError } from 'pg'
import type { Secret } from '#core'
import { listenAddress, superuser } from './settings.ts'

const wrongPassword = '28P01'

/**
 * The version of the server, once it really accepts a connection; undefined while it does not yet, or no longer. Ask
 * only a port whose owner is known: a stranger there would be shown the password exchange.
 */
export async function probe(port: number, password: Secret): Promise<string | undefined> {
  const client = new Client({
    host: listenAddress,
    port,
    user: superuser,
    password: password.reveal(),
    database: 'postgres',
    ssl: false,
    connectionTimeoutMillis: 2000,
    query_timeout: 2000,
  })
  // A connection that breaks between two calls would end the process if nobody listened.
  client.on('error', ignore)
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string }>(`select current_setting('server_version') as version`)
    return rows[0]?.version
  } catch (error) {
    if (error instanceof DatabaseError && error.code === wrongPassword) {
      throw new Error(
        'The embedded PostgreSQL refuses the password in the file postgres-password. Restore that file from a backup.',
        { cause: error },
      )
    }
    return undefined
  } finally {
    await client.end().catch(ignore)
  }
}

// Whether the connection works is judged by the query alone.
function ignore(): undefined {
  return undefined
}
