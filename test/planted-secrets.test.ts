import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { loadConfig, printConfig, settings } from '#config'
import { generateEncryptionKey } from '#secrets'
import { migrateWith } from '#server'
import { call, freePorts } from './harness/instance.ts'
import { newFolder, Portcullis } from './harness/portcullis.ts'
import { TestDatabase } from './harness/postgres.ts'

let folder: string
let database: TestDatabase
beforeAll(async () => {
  ;[folder, database] = await Promise.all([newFolder(), TestDatabase.start()])
})
afterAll(async () => {
  await database.stop()
  await rm(folder, { recursive: true, force: true })
})

// Nothing listens there.
const nowhere = 'http://127.0.0.1:1'
const signing = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

interface Plant {
  /** What must not be seen anywhere. */
  readonly secret: string
  /** The value of the setting, or the text of its file. */
  readonly text: string
}

const plain = (secret: string): Plant => ({ secret, text: secret })

/** Every secret of the settings, by the path of its setting without `File`. */
function plants(name: string): Readonly<Record<string, Plant>> {
  const url = (role: 'portcullis_app' | 'portcullis_owner' | 'portcullis_maintenance'): Plant => {
    const text = database.url(role, name)
    return { secret: new URL(text).password, text }
  }
  return {
    'database.url': url('portcullis_app'),
    'database.owner.url': url('portcullis_owner'),
    'database.maintenance.url': url('portcullis_maintenance'),
    'legacyToken.token': plain('Zq7-legacy-token-0123456789'),
    'replicas.redis.url': { secret: 'Zq7-redis-password', text: 'redis://user:Zq7-redis-password@127.0.0.1:1/0' },
    'audit.checkpoints.key': { secret: signing.split('\n')[1] ?? '', text: signing },
    'secrets.key': plain(generateEncryptionKey().toString('base64')),
    'telemetry.otlp.headers': { secret: 'Zq7-otlp-token', text: 'authorization: Bearer Zq7-otlp-token' },
    'debug.token': plain('Zq7-debug-token-0123456789'),
    'authority.clientSecret': plain('Zq7-client-secret-0123456789'),
  }
}

// No secrets, or settings of another provider of keys, which cannot be there at the same time.
const elsewhere = [
  'authority.ca',
  'database.tls.ca',
  'secrets.vault.ca',
  'secrets.vault.token',
  'secrets.vault.secretId',
  'tls.cert',
  'tls.clientCa',
  'tls.key',
]

/** Files of what stands in lists; a list has no settings of its own. */
const listed = {
  'forwarder-token': 'Zq7-forwarder-token',
  'service-token': 'Zq7-service-token-0123456789',
  'next-service-token': 'Zq7-next-service-token-0123456789',
  'http-token': 'Zq7-http-sink-token',
  'otlp-headers': 'authorization: Bearer Zq7-otlp-sink-token',
  'splunk-token': 'Zq7-splunk-token',
  'nats-token': 'Zq7-nats-token',
  's3-id': 'AKIAZQ7EXAMPLE',
  's3-secret': 'Zq7/s3/secret/access/key/0123456789abcdef',
} as const

const own = { url: nowhere, allowPrivate: true }
const sinks = [
  { ...own, kind: 'http', tokenFile: 'http-token' },
  { kind: 'otlp', endpoint: nowhere, allowPrivate: true, headersFile: 'otlp-headers' },
  { ...own, kind: 'splunk', tokenFile: 'splunk-token' },
  { kind: 'nats', servers: ['nats://127.0.0.1:1'], stream: 'x', tokenFile: 'nats-token' },
  {
    kind: 's3',
    bucket: 'ledger',
    region: 'eu-central-1',
    endpoint: nowhere,
    allowPrivate: true,
    accessKeyIdFile: 's3-id',
    secretAccessKeyFile: 's3-secret',
  },
]

/** Settings as a tree, with each secret in place where it may be, or all of them in files. */
async function plantedConfig(dir: string, planted: ReturnType<typeof plants>, inFiles: boolean): Promise<object> {
  const tree: Record<string, unknown> = {
    env: 'staging',
    legacyToken: { enabled: true, tenant: 'main', scopes: ['telemetry:write'] },
    serviceTokens: [
      { name: 'HubService', mode: 'allow', tokenFile: 'service-token', nextTokenFile: 'next-service-token' },
    ],
    oauth: { issuer: 'https://auth.example' },
    authority: { issuer: 'https://login.example', clientId: 'console' },
    limits: { rate: { store: 'redis' } },
    telemetry: {
      otlp: { endpoint: nowhere, timeoutMs: 500 },
      forwarders: [{ kind: 'http', url: nowhere, tokenFile: 'forwarder-token' }],
    },
    audit: { sinks },
    debug: { port: 0 },
    log: { level: 'trace' },
  }
  for (const [file, text] of Object.entries(listed)) await writeFile(join(dir, file), `${text}\n`, { mode: 0o600 })
  for (const [path, { text }] of Object.entries(planted)) {
    const inPlace = !inFiles && settings.some((setting) => setting.path === path && setting.secret === true)
    const keys = `${path}${inPlace ? '' : 'File'}`.split('.')
    const last = keys.pop() ?? ''
    const section = keys.reduce<Record<string, unknown>>((at, key) => {
      at[key] ??= {}
      return at[key] as Record<string, unknown>
    }, tree)
    section[last] = inPlace ? text : path
    if (!inPlace) await writeFile(join(dir, path), `${text}\n`, { mode: 0o600 })
  }
  return tree
}

async function entriesOf(admin: Client): Promise<string> {
  const { rows } = await admin.query<{ entry: Buffer }>('select entry from audits.entries')
  return rows.map(({ entry }) => entry.toString()).join('\n')
}

async function until(server: Portcullis, text: string): Promise<void> {
  while (!server.stderr.includes(text)) await once(server.child.stderr ?? server.child, 'data')
}

describe('secrets of the settings', () => {
  it('S5: the list of those that are planted here is complete', () => {
    const all = settings.filter(({ secret, path }) => secret === true || path.endsWith('File'))
    const bases = new Set(all.map(({ path }) => path.replace(/File$/, '')))
    expect([...bases].toSorted()).toEqual([...Object.keys(plants('x')), ...elsewhere].toSorted())
  })

  it.each([
    ['in place', false],
    ['in files', true],
  ])('S5: %s, they are in no output, error, printed setting, argument or ledger entry', async (_, inFiles) => {
    const name = inFiles ? 'in_files' : 'in_place'
    await database.emptyDatabase(name)
    const dir = join(folder, name)
    await mkdir(dir)
    const planted = plants(name)
    const file = join(dir, 'portcullis.yaml')
    await writeFile(file, stringify(await plantedConfig(dir, planted, inFiles)), { mode: 0o600 })
    const { adminKey } = await migrateWith({ configFile: file, env: {}, plan: false })
    const admin = await database.connect('postgres', name)

    const server = new Portcullis(['serve', '--json', '--config', file], freePorts)
    const { http, management } = await server.ready()
    const said: string[] = []
    const ask = async (method: string, body: object, key: string): Promise<number> => {
      const { status, body: answer } = await call(`http://${http}`, method, body, { key })
      said.push(JSON.stringify(answer))
      return status
    }
    const token = planted['legacyToken.token']?.secret ?? ''
    // What is allowed, refused and wrong with a secret at hand.
    expect(await ask('HubService/StartRun', { workflow: 'x' }, token)).toBe(200)
    expect(await ask('IdentityService/ListAgents', {}, token)).toBe(403)
    expect(await ask('HubService/StartRun', { workflow: 7 }, token)).toBe(400)
    expect(await ask('HubService/StartRun', { workflow: 'x' }, `${token}x`)).toBe(401)
    // A database that drops its connections.
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'portcullis_app'`)
    await ask('HubService/GetRun', { runId: 'run_x' }, adminKey ?? '')
    await ask('HubService/StartRun', { workflow: 'x' }, adminKey ?? '')
    // Settings that are edited into something that cannot be used, with a secret where none belongs.
    await appendFile(file, `limitz: ${planted['database.url']?.text}\n${planted['legacyToken.token']?.text}: 1\n`)
    await until(server, 'config.refused')
    said.push(await (await fetch(`http://${management}/metrics`)).text())
    const line = await readFile(`/proc/${server.child.pid}/cmdline`, 'utf8').catch(() => '')
    const { stdout, stderr } = await server.end()
    expect(stderr).toContain('"event":"server.ready"')

    const broken = loadConfig({ file, env: {}, mode: 'serve' })
    said.push(JSON.stringify(broken))
    await writeFile(file, stringify(await plantedConfig(dir, planted, inFiles)), { mode: 0o600 })
    const loaded = loadConfig({ file, env: {}, mode: 'serve' })
    said.push(loaded.ok ? printConfig(loaded.config) : expect.fail('the settings are not usable any more'))
    const entries = await entriesOf(admin)
    expect(entries).toContain('auth.scope_missing')
    const everything = { stdout, stderr, line, entries, said: said.join('\n') }
    const secrets = Object.entries(planted).map(([path, { secret }]) => [path, secret] as const)
    const inLists = Object.entries(listed).map(([path, text]) => [path, text.replace(/^.*Bearer /, '')] as const)
    for (const [path, secret] of [...secrets, ...inLists]) {
      expect(secret.length, path).toBeGreaterThan(12)
      for (const [where, text] of Object.entries(everything))
        expect(text.includes(secret), `${path} in ${where}`).toBe(false)
    }
  })
})
