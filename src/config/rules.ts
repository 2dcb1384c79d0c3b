import { parseAddress, type Secret } from '#core'
import { authorityIsSound } from './authority-rules.ts'
import { legacyIsSound, redisIsSound } from './callers-rules.ts'
import { bypassIsSound } from './bypass-rules.ts'
import { checkpointsAreSound } from './checkpoint-rules.ts'
import { costsAreSound } from './costs-rules.ts'
import { inspectDatabaseUrl } from './database-url.ts'
import { jobsAreSound } from './jobs-rules.ts'
import { killRulesAreSound } from './kill-rules.ts'
import { oauthIsSound } from './oauth-rules.ts'
import { retentionIsSound } from './retention-sections.ts'
import { signInIsSound } from './sign-in-rules.ts'
import { secretsAreSound } from './secrets-rules.ts'
import { serviceTokensAreSound } from './service-token-rules.ts'
import { sinksAreSound } from './sink-rules.ts'
import { telemetryRetentionIsSound } from './telemetry-retention.ts'
import { telemetryIsSound } from './telemetry-rules.ts'
import { tlsIsSound } from './tls-rules.ts'
import { problem, redacted, showValue, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import type { CheckedConfig } from './schema.ts'
import { webhooksAreSound } from './webhook-rules.ts'

/** What the rules look at: settings that are valid one by one, and the URLs that they lead to. */
export interface Facts {
  readonly config: CheckedConfig
  readonly databaseUrls: readonly { readonly path: string; readonly url: Secret }[]
  /** Where a value came from, as `by DATABASE_URL`, by the path of its setting; empty for the file. */
  readonly sources: ReadonlyMap<string, string>
  readonly mode: 'up' | 'serve'
  readonly legacyToken: Secret | undefined
  readonly redisUrl: Secret | undefined
  /** `2026-11-21`, UTC. */
  readonly today: string
}

export interface Rule {
  /** Where one of these, or something in them, is broken already, the rule has nothing to say. */
  readonly reads: readonly string[]
  readonly check: (facts: Facts) => readonly Problem[]
}

/** What settings must be to each other: neither contradictory nor unsafe (SPEC M4). */
export const rules: readonly Rule[] = [
  { reads: ['listen'], check: listenersCollide },
  { reads: ['listen', 'tls', 'env'], check: tlsIsSound },
  { reads: ['database.url', 'database.urlFile', 'database.embedded'], check: oneDatabase },
  { reads: ['database.owner', 'database.maintenance'], check: oneOwner },
  { reads: ['database.embedded', 'database.owner'], check: embeddedHasItsOwner },
  { reads: ['database.embedded', 'env'], check: embeddedInProduction },
  { reads: ['database.url', 'database.urlFile', 'database.owner', 'database.maintenance'], check: urlsAreSound },
  { reads: ['database'], check: encryptedOffHost },
  { reads: ['database.tls'], check: authoritiesAreReadable },
  { reads: ['limits.http'], check: headersArriveFirst },
  { reads: ['reflection', 'env'], check: reflectionIsWaived },
  { reads: ['legacyToken', 'services', 'env'], check: legacyIsSound },
  { reads: ['authority', 'services', 'env'], check: authorityIsSound },
  { reads: ['serviceTokens', 'services', 'env'], check: serviceTokensAreSound },
  { reads: ['authority.bypassNetworks', 'authority.anonymous', 'services', 'env'], check: bypassIsSound },
  { reads: ['oauth', 'secrets', 'database', 'env'], check: oauthIsSound },
  { reads: ['authority', 'oauth', 'env'], check: signInIsSound },
  { reads: ['replicas', 'limits.rate.store', 'env'], check: redisIsSound },
  { reads: ['secrets', 'env'], check: secretsAreSound },
  { reads: ['kill'], check: killRulesAreSound },
  { reads: ['telemetry', 'debug', 'listen'], check: telemetryIsSound },
  { reads: ['audit.sinks', 'env'], check: sinksAreSound },
  { reads: ['audit', 'env'], check: checkpointsAreSound },
  { reads: ['audit.retention'], check: retentionIsSound },
  { reads: ['telemetry.retention'], check: telemetryRetentionIsSound },
  { reads: ['jobs', 'env'], check: jobsAreSound },
  { reads: ['costs'], check: costsAreSound },
  { reads: ['webhooks', 'env'], check: webhooksAreSound },
]

/** Whether all databases that are named are reached without leaving this machine. */
export function databasesAreLocal({ databaseUrls }: Pick<Facts, 'databaseUrls'>): boolean {
  return databaseUrls.every(({ url }) => {
    const inspected = inspectDatabaseUrl(url.reveal())
    return inspected.ok && inspected.local
  })
}

function listenersCollide({ config }: Facts): readonly Problem[] {
  const listeners = Object.entries(config.listen).flatMap(([name, text]) =>
    text === undefined ? [] : [{ name, text, ...parseAddress(text) }],
  )
  return listeners.flatMap((later, index) => {
    const earlier = listeners.slice(0, index).find(({ host, port }) => port === later.port && overlap(host, later.host))
    if (!earlier || later.port === 0) return []
    const why = `It takes the port of listen.${earlier.name}.`
    return [problem(`listen.${later.name}`, showValue(later.text), why, 'Give each listener a port of its own.')]
  })
}

function overlap(a: string, b: string): boolean {
  const all = ['0.0.0.0', '::']
  return a === b || all.includes(a) || all.includes(b)
}

function oneDatabase({ config: { database }, mode, sources }: Facts): readonly Problem[] {
  const given = (['url', 'urlFile', 'embedded'] as const).filter((key) => database[key] !== undefined)
  if (given.length === 1) return []
  const names = given.map((key) => `database.${key} ${sources.get(`database.${key}`) ?? ''}`.trim()).join(' and ')
  if (given.length === 0) {
    const todo = 'Set database.url or database.urlFile to the URL of the app role, or database.embedded to try it out.'
    return [problem('database', showValue(undefined), '`portcullis serve` needs a database.', todo)]
  }
  if (mode === 'up') {
    const todo = 'Remove database.url and database.urlFile, or use `portcullis serve`.'
    return [problem('database', names, '`portcullis up` runs a PostgreSQL of its own.', todo)]
  }
  return [problem('database', names, 'Only one of them can be the database.', 'Keep one and remove the others.')]
}

function oneOwner({ config }: Facts): readonly Problem[] {
  return (['owner', 'maintenance'] as const).flatMap((role) => {
    const { url, urlFile } = config.database[role]
    if (!url || !urlFile) return []
    const path = `database.${role}`
    const names = `${path}.url and ${path}.urlFile`
    return [problem(path, names, `Only one of them can be the ${role}.`, 'Keep one and remove the other.')]
  })
}

function embeddedHasItsOwner({ config: { database } }: Facts): readonly Problem[] {
  const { url, urlFile } = database.owner
  if (!database.embedded || (!url && !urlFile)) return []
  const why = 'The embedded PostgreSQL has an owner role already.'
  return [problem('database.owner', redacted, why, 'Remove database.owner, or use a database of your own.')]
}

function embeddedInProduction({ config: { database, env } }: Facts): readonly Problem[] {
  if (env !== 'production' || !database.embedded) return []
  const why = 'The embedded PostgreSQL is not for production: nobody backs it up or watches it.'
  const todo = 'Set database.urlFile to a PostgreSQL of your own, or env to development.'
  return [problem('database.embedded', showValue(database.embedded.dir), why, todo)]
}

function urlsAreSound({ databaseUrls }: Facts): readonly Problem[] {
  return databaseUrls.flatMap(({ path, url }) => {
    const inspected = inspectDatabaseUrl(url.reveal())
    return inspected.ok ? [] : [problem(path, redacted, inspected.why, inspected.todo)]
  })
}

function encryptedOffHost(facts: Facts): readonly Problem[] {
  const { tls, embedded } = facts.config.database
  const path = 'database.tls.mode'
  if (embedded && (tls.mode === 'verify-full' || tls.caFile)) {
    const why = 'The embedded PostgreSQL is on this machine and speaks no TLS.'
    return [problem('database.tls', showValue(tls.mode ?? tls.caFile), why, 'Remove database.tls.')]
  }
  if (tls.mode !== 'disable') return []
  if (tls.caFile) {
    const why = 'TLS is off, so the authorities in database.tls.caFile are for nothing.'
    return [problem(path, showValue(tls.mode), why, 'Set it to verify-full, or remove database.tls.caFile.')]
  }
  const sound = facts.databaseUrls.filter(({ url }) => inspectDatabaseUrl(url.reveal()).ok)
  if (databasesAreLocal({ databaseUrls: sound })) return []
  const why = 'The database is on another machine: password and data would cross the network in the clear.'
  return [
    problem(
      path,
      showValue(tls.mode),
      why,
      'Set it to verify-full, with database.tls.caFile for an authority of your own.',
    ),
  ]
}

function authoritiesAreReadable({ config }: Facts): readonly Problem[] {
  const { caFile } = config.database.tls
  if (!caFile) return []
  const read = readTextFile(caFile, 1024 * 1024)
  const why = read.ok ? 'The file holds no certificate.' : read.why
  if (read.ok && read.text.includes('-----BEGIN CERTIFICATE-----')) return []
  return [
    problem('database.tls.caFile', showValue(caFile), why, 'Name a PEM file of certificates that this user can read.'),
  ]
}

function headersArriveFirst({ config }: Facts): readonly Problem[] {
  const { headersTimeoutMs, requestTimeoutMs } = config.limits.http
  if (headersTimeoutMs <= requestTimeoutMs) return []
  const why = `Headers may not take longer than the whole request (${requestTimeoutMs} ms).`
  const todo = 'Lower it, or raise limits.http.requestTimeoutMs.'
  return [problem('limits.http.headersTimeoutMs', showValue(headersTimeoutMs), why, todo)]
}

function reflectionIsWaived({ config: { env, reflection }, today }: Facts): readonly Problem[] {
  if (env !== 'production' || !reflection.enabled) return []
  const { waiver } = reflection
  if (!waiver) {
    const why = 'Reflection shows the whole contract to anybody, and production needs a waiver for that.'
    const todo = 'Set it to false, or fill in reflection.waiver: reason, owner and expires.'
    return [problem('reflection.enabled', 'true', why, todo)]
  }
  if (waiver.expires >= today) return []
  const todo = 'Set reflection.enabled to false, or renew the waiver.'
  return [problem('reflection.waiver.expires', showValue(waiver.expires), 'The waiver has expired.', todo)]
}
