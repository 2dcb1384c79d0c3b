import { readFileSync } from 'node:fs'
import type { Config } from '#config'
import { Outbound } from '#core'
import { Connection, inspectDatabase } from '#store'
import { settingsForUrl } from './connection-settings.ts'

/** What was found by looking from here, with the settings of a server; nothing is changed. Undefined: there is nothing to look at. */
export interface Examined {
  readonly database: { readonly problems: readonly string[]; readonly skewMs: number } | string | undefined
  readonly issuer: { readonly keys: number } | string | undefined
}

const deadlineMs = 5000

/** Reaches for what a server reaches for, as it does (SPEC O7). A text is why something could not be had. Never rejects. */
export async function examine(config: Config): Promise<Examined> {
  const [database, issuer] = await Promise.all([examineDatabase(config), examineIssuer(config)])
  return { database, issuer }
}

async function examineDatabase({ database }: Config): Promise<Examined['database']> {
  if (database.url === undefined) return undefined
  const settings = settingsForUrl(database.url, database)
  const connection = new Connection(
    { ...settings, connectTimeoutMs: deadlineMs, statementTimeoutMs: deadlineMs },
    'doctor',
  )
  try {
    const client = await connection.client()
    const sentAt = Date.now()
    const { rows } = await client.query<{ ms: number }>(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
    )
    const skewMs = (sentAt + Date.now()) / 2 - (rows[0]?.ms ?? 0)
    return { problems: await inspectDatabase(client), skewMs }
  } catch (error) {
    return messageOf(error)
  } finally {
    await connection.close()
  }
}

async function examineIssuer({ authority }: Config): Promise<Examined['issuer']> {
  const { enabled, issuer, allowPrivate, caFile } = authority
  if (!enabled || issuer === undefined) return undefined
  const outbound = new Outbound({
    allowPrivate,
    allowHttp: allowPrivate && 'own',
    deadlineMs,
    ca: caFile === undefined ? undefined : readFileSync(caFile, 'utf8'),
  })
  const get = async (url: string): Promise<Readonly<Record<string, unknown>>> => {
    const { status, body, end } = await outbound.send({ url, method: 'GET' })
    if (status !== 200 || end !== 'whole') throw new Error(`it answered ${status}`)
    const json: unknown = JSON.parse(body.toString('utf8'))
    if (typeof json !== 'object' || json === null) throw new Error('it answered no JSON object')
    return json as Readonly<Record<string, unknown>>
  }
  try {
    let { jwksUri } = authority
    if (jwksUri === undefined) {
      const metadata = await get(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
      if (metadata['issuer'] !== issuer) return 'its metadata name another issuer'
      jwksUri = String(metadata['jwks_uri'])
    }
    const { keys } = await get(jwksUri)
    return Array.isArray(keys) && keys.length > 0 ? { keys: keys.length } : 'it publishes no keys'
  } catch (error) {
    return messageOf(error)
  } finally {
    await outbound.close()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
