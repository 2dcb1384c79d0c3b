import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { platformAdminScopes, sha256, uuidv7 } from '#core'
import { Frontier, verifyChain, type ChainItem, type VerifyResult } from '#ledger'
import type { ConnectionSettings } from '#store'
import { embeddedHome, startEmbedded, type EmbeddedPostgres } from '../../src/server/embedded/index.ts'
import { provision, type RoleAccess } from '../../src/server/provision.ts'
import { firstStart } from './first-start.ts'

export type Role = 'postgres' | RoleAccess['user']

export interface TestTenant {
  /** Bare UUID. */
  readonly id: string
  readonly name: string
  readonly operatorId: string
  readonly keyId: string
}

/** A migrated database with the first admin and no server in front of it. Share one per file. */
export class TestDatabase {
  readonly postgres: EmbeddedPostgres
  readonly #dir: string
  readonly #access: (role: RoleAccess['user']) => RoleAccess
  readonly #clients: Client[] = []

  private constructor(postgres: EmbeddedPostgres, dir: string, access: (role: RoleAccess['user']) => RoleAccess) {
    this.postgres = postgres
    this.#dir = dir
    this.#access = access
  }

  static async start(): Promise<TestDatabase> {
    const dir = await realpath(await mkdtemp(join(tmpdir(), 'portcullis-store-')))
    await firstStart(dir)
    const postgres = await startEmbedded({ dir, log: () => undefined })
    return new TestDatabase(postgres, dir, await provision(postgres, embeddedHome(dir).home))
  }

  /** Settings of the app role, as the server has them; `port` leads through a proxy. */
  settings(port = this.postgres.port): ConnectionSettings {
    return {
      client: { ...this.#access('portcullis_app'), port },
      connectTimeoutMs: 5000,
      statementTimeoutMs: 3000,
      idleTimeoutMs: 300_000,
      maxLifetimeSeconds: 3600,
    }
  }

  async connect(role: Role, database = 'portcullis'): Promise<Client> {
    const password = role === 'postgres' ? this.postgres.superuserPassword.reveal() : this.#access(role).password
    const { host, port } = this.postgres
    const client = new Client({ host, port, user: role, password, database, application_name: 'test' })
    // A test may end the server, or this session, under its connection.
    client.on('error', () => undefined)
    await client.connect()
    this.#clients.push(client)
    return client
  }

  /** As in `database.url`. */
  url(role: RoleAccess['user'], database: string): string {
    const { host, port } = this.postgres
    return `postgres://${role}:${this.#access(role).password}@${host}:${port}/${database}`
  }

  async makeTenant(name: string): Promise<TestTenant> {
    const [id, operatorId, keyId] = [uuidv7(), uuidv7(), uuidv7()]
    const app = await this.connect('portcullis_app')
    await app.query('select portcullis.create_tenant($1, $2, $3, $4, $5, $6)', [
      id,
      name,
      operatorId,
      keyId,
      sha256(keyId),
      platformAdminScopes,
    ])
    await app.end()
    return { id, name, operatorId, keyId }
  }

  /** Another database in the same server with the roles and no schema. */
  async emptyDatabase(name: string): Promise<void> {
    const admin = await this.connect('postgres')
    await admin.query(`create database ${name}`)
    const inside = await this.connect('postgres', name)
    await inside.query(await readFile(new URL('../../src/store/roles.sql', import.meta.url), 'utf8'))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)))
    await this.postgres.stop('immediate')
    await rm(embeddedHome(this.#dir).home, { recursive: true, force: true })
    await rm(this.#dir, { recursive: true, force: true })
  }
}

/** Verifies a whole log against its head, as the superuser: links, hashes, size and root. */
export async function verifyLog(admin: Client, log: string): Promise<VerifyResult> {
  // One snapshot for head and entries: others may be writing.
  await admin.query('begin isolation level repeatable read read only')
  const heads = await admin.query<{ size: string; frontier: Buffer; last_hash: Buffer }>(
    'select size, frontier, last_hash from audits.heads where log = $1',
    [log],
  )
  const entries = await admin.query<{ seq: string; entry: Buffer; leaf: Buffer }>(
    'select seq, entry, leaf from audits.entries where log = $1 order by seq',
    [log],
  )
  await admin.query('commit')
  const [head] = heads.rows
  if (head === undefined) throw new Error(`the log ${log} has no head`)
  const size = Number(head.size)
  const root = Frontier.fromBytes(size, head.frontier).root().toString('hex')
  const items: readonly ChainItem[] = entries.rows.map(({ seq, entry, leaf }) => ({ seq: BigInt(seq), entry, leaf }))
  return verifyChain(items, { log, head: { size, root, lastHash: head.last_hash.toString('hex') } })
}
