import { readFileSync } from 'node:fs'
import type { ClientConfig } from 'pg'
import type { Config } from '#config'
import type { Secret } from '#core'
import type { ConnectionSettings } from '#store'
import type { RoleAccess } from './provision.ts'

type Pool = Config['database']['pool']

export function settingsForRole(access: RoleAccess, pool: Pool): ConnectionSettings {
  return withPool({ ...access }, pool)
}

/** The connection of a configured URL; TLS as the settings say, with certificate and host name verified. */
export function settingsForUrl(url: Secret, { pool, tls }: Config['database']): ConnectionSettings {
  const ssl =
    tls.mode === 'disable'
      ? false
      : { rejectUnauthorized: true, ...(tls.caFile === undefined ? {} : { ca: readFileSync(tls.caFile, 'utf8') }) }
  return withPool({ connectionString: url.reveal(), ssl }, pool)
}

function withPool(client: ClientConfig, pool: Pool): ConnectionSettings {
  return {
    client,
    connectTimeoutMs: pool.connectTimeoutMs,
    statementTimeoutMs: pool.statementTimeoutMs,
    idleTimeoutMs: pool.idleTimeoutMs,
    maxLifetimeSeconds: pool.maxLifetimeSeconds,
  }
}
