import { basename } from 'node:path'
import type { Config } from '#config'

/** One key of the inventory. Where it is says a file's own name or a kind of place, never a value. */
export interface KeyRow {
  readonly name: string
  readonly state: string
  readonly protects: string
  /** How many there are, or how much it protects; null where that is unknown. */
  readonly count: number | null
  readonly where: string
  readonly backup: string
  readonly loss: string
}

interface Facts {
  readonly config: Config
  /** Undefined where the database could not be asked. */
  readonly credentials: ReadonlyMap<string, number> | undefined
  /** The folder of `up`. */
  readonly home: string | undefined
}

const remake = 'none needed: make a new one'

/** What protects something besides the master keys. */
export function keyRows(facts: Facts): readonly KeyRow[] {
  return [
    ...ledgerKeys(facts),
    ...tokenKeys(facts),
    ...databaseKeys(facts),
    ...callerKeys(facts),
    ...outsideKeys(facts.config),
  ]
}

function ledgerKeys({ config, credentials, home }: Facts): readonly KeyRow[] {
  const signing = config.audit.checkpoints.keyFile ?? (home === undefined ? undefined : 'signing-key.pem')
  const versions = count(credentials, 'pseudonym keys')
  const tenants = count(credentials, 'tenants with pseudonym keys')
  const destroyed = count(credentials, 'pseudonym keys destroyed')
  return [
    {
      name: 'checkpoint signing key',
      state: signing === undefined ? 'none' : 'in use',
      protects: 'that nobody can sign another history of the ledger',
      count: signing === undefined ? 0 : 1,
      where: fileOr(signing, 'nowhere: checkpoints are not signed'),
      backup: 'copy the file apart from the database; keep its verifier key (`portcullis ledger key show`) elsewhere',
      loss: 'new checkpoints need a new key, old ones verify still; whoever has it and the database can rewrite what no sink holds',
    },
    {
      name: 'pseudonym keys',
      state: versions === null ? 'unknown' : `${tenants ?? 0} tenants, ${destroyed ?? 0} destroyed`,
      protects: 'personal data in ledger entries: who has the key can try values against pseudonyms',
      count: versions,
      where: 'in the database, under the master key',
      backup: 'with the database; a backup from before a key was destroyed still holds it',
      loss: 'pseudonyms join nothing more; entries, chain and proofs stay valid',
    },
  ]
}

function tokenKeys({ credentials }: Facts): readonly KeyRow[] {
  const many = count(credentials, 'token signing keys')
  return [
    {
      name: 'keys that sign access tokens',
      state: many === null ? 'unknown' : `${many} published`,
      protects: 'that nobody else makes tokens that are taken here',
      count: many,
      where: 'in the database, under the master key',
      backup: 'with the database; or none: `portcullis secrets rotate-token-keys` makes a new one',
      loss: 'tokens that were given are refused until apps ask again; whoever has one can be any app or person until it retires',
    },
  ]
}

function databaseKeys({ config: { database }, home }: Facts): readonly KeyRow[] {
  const backup =
    home === undefined
      ? 'none needed: set another password as a superuser'
      : 'with the folder of the instance, while it is stopped'
  const loss = 'the server cannot start; whoever has it has the rights of its role'
  const row = (name: string, protects: string, where: string): KeyRow => ({
    name,
    state: 'in use',
    protects,
    count: 1,
    where,
    backup,
    loss,
  })
  if (home !== undefined) {
    return [
      row('database passwords of the roles', 'the database, by role', 'file database-passwords.json'),
      row('database password of the superuser', 'the database as a whole', 'file postgres-password'),
    ]
  }
  const { owner } = database
  return [
    row('database password of the app role', 'what the server may do', fileOr(database.urlFile, 'in the settings')),
    ...(owner.url === undefined && owner.urlFile === undefined
      ? []
      : [row('database password of the owner role', 'the schema', fileOr(owner.urlFile, 'in the settings'))]),
  ]
}

function callerKeys({ config, credentials }: Facts): readonly KeyRow[] {
  const { enabled, tokenFile } = config.legacyToken
  const guards = config.serviceTokens
  const tokens = guards.flatMap((guard) => [guard.tokenFile ?? [], guard.nextTokenFile ?? []].flat())
  const ended = count(credentials, 'api keys ended')
  const hmac = count(credentials, 'signing keys of hmac')
  return [
    {
      name: 'API keys',
      state: ended === null ? 'unknown' : `${ended} expired or revoked beside them`,
      protects: 'what agents and operators may do',
      count: count(credentials, 'api keys in use'),
      where: 'with who was given them; digests in the database',
      backup: remake,
      loss: 'their owner needs a new one; whoever has one acts as its owner until it is revoked',
    },
    {
      name: 'signing keys',
      state: hmac === null ? 'unknown' : `${hmac} of them HMAC secrets`,
      protects: 'that a request is of who holds the key, and has not been changed',
      count: count(credentials, 'signing keys in use'),
      where: 'with who signs; public keys in the database, HMAC secrets there under the master key',
      backup: remake,
      loss: 'its owner registers a new one; whoever has one and an API key beside it signs as its owner until it is revoked',
    },
    {
      name: 'console sessions',
      state: 'end after 12 hours',
      protects: 'the console',
      count: count(credentials, 'sessions'),
      where: 'in browsers; digests in the database',
      backup: remake,
      loss: 'the operator signs in again; whoever has one acts as the operator until it ends',
    },
    {
      name: 'legacy token',
      state: enabled ? 'in use' : 'off',
      protects: 'what old callers may do together',
      count: enabled ? 1 : 0,
      where: enabled ? fileOr(tokenFile, 'in the settings') : 'nowhere',
      backup: remake,
      loss: 'all its callers need the new one; whoever has it is one of them',
    },
    {
      name: 'service tokens',
      state: guards.length === 0 ? 'none' : guards.map(({ name, mode }) => `${name}: ${mode}`).join(', '),
      protects: 'that calls of a service come from those who were given its token',
      count: tokens.length,
      where: tokens.length === 0 ? 'nowhere' : tokens.map((file) => fileOr(file, '')).join(', '),
      backup: remake,
      loss: 'its callers need the new one; empty the file and nothing is enforced meanwhile',
    },
    {
      name: 'TLS key of the listeners',
      state: 'none here',
      protects: 'what callers send and get on the way',
      count: 0,
      where: 'in the proxy that ends TLS: the listeners speak plain text',
      backup: 'with the proxy; or none: ask the authority for a new certificate',
      loss: 'callers cannot connect until there is a new one; whoever has it can pretend to be the server',
    },
  ]
}

/** What this deployment shows to others, each under the name of its setting. */
function outsideKeys(config: Config): readonly KeyRow[] {
  const { redis } = config.replicas
  const { vault } = config.secrets
  const { otlp, forwarders } = config.telemetry
  const named: readonly (readonly [string, string, string | undefined])[] = [
    ['replicas.redis', 'the shared rate limits', redis && (redis.urlFile ?? '')],
    ['secrets.vault.tokenFile', 'the use of the master key in Vault', vault?.tokenFile],
    ['secrets.vault.secretIdFile', 'the use of the master key in Vault', vault?.secretIdFile],
    ['telemetry.otlp.headersFile', 'the collector', otlp?.headersFile],
    ...forwarders.map(
      ({ kind, tokenFile }, at) => [`telemetry.forwarders.${at}`, `events to ${kind}`, tokenFile] as const,
    ),
    ...sinkFiles(config),
    ['debug.tokenFile', 'profiles and statistics', config.debug.tokenFile],
  ]
  return named.flatMap(([name, protects, file]) =>
    file === undefined
      ? []
      : [
          {
            name,
            state: 'in use',
            protects,
            count: 1,
            where: file === '' ? 'in the settings' : `file ${basename(file)}`,
            backup: 'with the system that gave it; or none: ask it for a new one',
            loss: 'that system refuses this one until there is a new one; whoever has it can do there what this one may',
          },
        ],
  )
}

// What a sink names beside these are no secrets.
const sinkSecret = /^(?:token|keys?|creds?|credentials|headers|accessKey|secretKey|secret\w*)File$/i

function sinkFiles({ audit }: Config): readonly (readonly [string, string, string])[] {
  return audit.sinks.flatMap((sink) =>
    Object.entries(sink).flatMap(([key, file]) =>
      sinkSecret.test(key) && typeof file === 'string'
        ? [[`audit.sinks ${sink.name}.${key}`, 'copies of the ledger there', file] as const]
        : [],
    ),
  )
}

function fileOr(file: string | undefined, other: string): string {
  return file === undefined ? other : `file ${basename(file)}`
}

function count(credentials: Facts['credentials'], kind: string): number | null {
  return credentials === undefined ? null : (credentials.get(kind) ?? 0)
}
