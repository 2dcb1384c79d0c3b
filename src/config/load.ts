import { dirname, resolve } from 'node:path'
import { systemClock, type Clock, type Secret } from '#core'
import { checkValues, isWithin } from './check-values.ts'
import { fromPlainVariables, fromTree, fromVariables, present, type Given, type GivenValue } from './given.ts'
import { configBytesMax, parseYaml } from './parse-yaml.ts'
import { notShown, problem, redacted, type Problem } from './problem.ts'
import { readTextFile } from './read-file.ts'
import { databasesAreLocal, rules, type Facts } from './rules.ts'
import type { CheckedConfig, Config, ConfigInput } from './schema.ts'
import { readSecretFile } from './secret-file.ts'

export interface LoadInput {
  /** The settings file; relative file names in it start at its folder. */
  readonly file?: string
  /** The content of the settings file, where it is at hand already. */
  readonly text?: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the command line set; goes before everything else. */
  readonly overrides?: ConfigInput
  /** `up` brings its own PostgreSQL; `serve` needs one and starts its own only when told to. */
  readonly mode: 'up' | 'serve'
  readonly clock?: Clock
}

export type LoadResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Reads the settings from all their sources and checks them; reports every problem at once (SPEC M4, O1). */
export function loadConfig(input: LoadInput): LoadResult {
  const file = readSettingsFile(input)
  const ours = fromVariables(input.env)
  const plain = fromPlainVariables(input.mode === 'up' ? { ...input.env, DATABASE_URL: undefined } : input.env)
  const code = fromTree(input.overrides ?? {}, { source: 'code' })
  const values = new Map([file, plain, ours, code].flatMap((given) => [...given.values]))
  const strays = input.mode === 'up' ? ownDatabase(values, input.env) : []
  const checked = checkValues(values)
  const secrets = readSecrets(checked.config)

  const found = [...file.problems, ...ours.problems, ...code.problems, ...checked.problems]
  const broken = found.map(({ path }) => path)
  const sources = new Map([...values].map(([path, { source }]) => [path, sourceText(source)]))
  const today = new Date((input.clock ?? systemClock).now()).toISOString().slice(0, 10)
  const { urls: databaseUrls, legacyToken, redisUrl } = secrets
  const { config } = checked
  const facts: Facts = { config, databaseUrls, legacyToken, redisUrl, sources, mode: input.mode, today }
  // Nothing can be said about settings together while the file that holds them cannot be read.
  const relevant = file.unreadable ? [] : rules.filter(({ reads }) => !reads.some((path) => touches(broken, path)))
  const contradictions = relevant.flatMap((rule) => rule.check(facts))
  const all = [...found, ...strays, ...secrets.problems, ...contradictions]
  const problems = all.map((each) => withSource(each, sources))
  if (problems.some(({ severity }) => severity === 'error')) return { ok: false, problems }
  return { ok: true, config: settle(checked.config, secrets), warnings: problems }
}

interface SettingsFile extends Given {
  readonly unreadable: boolean
}

function readSettingsFile({ file, text }: LoadInput): SettingsFile {
  if (file === undefined && text === undefined) return { values: new Map(), problems: [], unreadable: false }
  const name = file ?? 'config'
  const read = text === undefined ? readTextFile(name, configBytesMax) : { ok: true as const, text }
  if (!read.ok) return unreadable([problem(name, notShown, read.why, 'Name a settings file that this user can read.')])
  const parsed = parseYaml(read.text, name)
  if (!parsed.ok) return unreadable(parsed.problems)
  const folder = file === undefined ? undefined : dirname(resolve(file))
  return { ...fromTree(parsed.root, { source: 'file', folder, text: read.text }), unreadable: false }
}

function unreadable(problems: readonly Problem[]): SettingsFile {
  return { values: new Map(), problems, unreadable: true }
}

/** `up` uses its own PostgreSQL. A DATABASE_URL that lies around for another program does not change that. */
function ownDatabase(values: Map<string, GivenValue>, env: LoadInput['env']): readonly Problem[] {
  if (!values.has('database.embedded')) values.set('database.embedded', { value: present, source: 'code' })
  if (!env['DATABASE_URL']) return []
  const why = 'It is ignored: `portcullis up` runs a PostgreSQL of its own.'
  return [problem('DATABASE_URL', redacted, why, 'Unset it, or use `portcullis serve` with it.', 'warning')]
}

interface Secrets {
  readonly url: Secret | undefined
  readonly ownerUrl: Secret | undefined
  readonly maintenanceUrl: Secret | undefined
  readonly urls: Facts['databaseUrls']
  readonly legacyToken: Secret | undefined
  readonly redisUrl: Secret | undefined
  readonly problems: readonly Problem[]
}

function readSecrets({ database, env, legacyToken, replicas: { redis } }: CheckedConfig): Secrets {
  const read = (path: string, inPlace: Secret | undefined, file: string | undefined) =>
    file === undefined
      ? { path, secret: inPlace, problems: [] }
      : { path: `${path}File`, ...readSecretFile(`${path}File`, file, env === 'production') }
  const app = read('database.url', database.url, database.urlFile)
  const owner = read('database.owner.url', database.owner.url, database.owner.urlFile)
  const { url, urlFile } = database.maintenance
  const maintenance = read('database.maintenance.url', url, urlFile)
  // Not looked at unless it is enabled.
  const legacy = legacyToken.enabled
    ? read('legacyToken.token', legacyToken.token, legacyToken.tokenFile)
    : { secret: undefined, problems: [] }
  const shared = read('replicas.redis.url', redis?.url, redis?.urlFile)
  return {
    url: app.secret,
    ownerUrl: owner.secret,
    maintenanceUrl: maintenance.secret,
    urls: [app, owner, maintenance].flatMap(({ path, secret }) => (secret ? [{ path, url: secret }] : [])),
    legacyToken: legacy.secret,
    redisUrl: shared.secret,
    problems: [app, owner, maintenance, legacy, shared].flatMap(({ problems }) => problems),
  }
}

function settle(config: CheckedConfig, secrets: Secrets): Config {
  const { url, ownerUrl, maintenanceUrl, urls, legacyToken, redisUrl } = secrets
  const { database, replicas } = config
  const mode =
    database.tls.mode ?? (database.tls.caFile || !databasesAreLocal({ databaseUrls: urls }) ? 'verify-full' : 'disable')
  const owner = { ...database.owner, ...(ownerUrl && { url: ownerUrl }) }
  const maintenance = { ...database.maintenance, ...(maintenanceUrl && { url: maintenanceUrl }) }
  const token = { ...config.legacyToken, token: legacyToken }
  const redis = replicas.redis && { ...replicas.redis, url: redisUrl }
  return {
    ...config,
    legacyToken: token,
    replicas: { ...replicas, redis },
    database: { ...database, ...(url && { url }), owner, maintenance, tls: { ...database.tls, mode } },
  }
}

function touches(broken: readonly string[], path: string): boolean {
  return broken.some((each) => isWithin(each, path) || isWithin(path, each))
}

function withSource(each: Problem, sources: Facts['sources']): Problem {
  const source = sources.get(each.path) ?? sources.get(each.path.replace(/\.\d+$/, ''))
  return source ? { ...each, why: `${each.why} (Set ${source}.)` } : each
}

function sourceText(source: GivenValue['source']): string {
  if (source === 'file') return ''
  return source === 'code' ? 'on the command line' : `by ${source}`
}
