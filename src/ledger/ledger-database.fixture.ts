import { chmod, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { firstStart } from '../../test/harness/first-start.ts'
import { embeddedHome, startEmbedded } from '../server/embedded/index.ts'
import { Frontier, verifyChain, type ChainItem, type LedgerRecord, type VerifyResult } from './index.ts'

export type Role = 'postgres' | 'portcullis_owner' | 'portcullis_app' | 'portcullis_reader'

/** A PostgreSQL of its own with the roles and all migrations, for tests. */
export class LedgerDatabase implements AsyncDisposable {
  readonly #clients: Client[] = []
  readonly #open: (user: Role) => Client
  readonly #close: () => Promise<void>

  private constructor(open: (user: Role) => Client, close: () => Promise<void>) {
    this.#open = open
    this.#close = close
  }

  static async start(): Promise<LedgerDatabase> {
    const parent = await realpath(await mkdtemp(join(tmpdir(), 'portcullis-ledger-')))
    await chmod(parent, 0o755)
    const dir = join(parent, '.portcullis')
    // Its cluster saves an initdb; the schema of the tests is that of another database in it.
    await firstStart(dir)
    const server = await startEmbedded({ dir, log: () => undefined })
    const password = server.superuserPassword.reveal()
    const open = (user: Role): Client =>
      new Client({ host: server.host, port: server.port, user, password, database: 'postgres' })
    const database = new LedgerDatabase(open, async () => {
      await server.stop('immediate')
      const { movedTo } = embeddedHome(dir)
      if (movedTo !== undefined) await rm(movedTo, { recursive: true, force: true })
      await rm(parent, { recursive: true, force: true })
    })
    await database.#migrate(password)
    return database
  }

  async connect(user: Role): Promise<Client> {
    const client = this.#open(user)
    await client.connect()
    this.#clients.push(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()))
    await this.#close()
  }

  async #migrate(password: string): Promise<void> {
    const admin = await this.connect('postgres')
    await admin.query(await sql('roles.sql'))
    for (const role of ['portcullis_owner', 'portcullis_app', 'portcullis_reader']) {
      await admin.query(`alter role ${role} password ${admin.escapeLiteral(password)}`)
    }
    const owner = await this.connect('portcullis_owner')
    const files = await readdir(new URL('../store/migrations/', import.meta.url))
    for (const file of files.toSorted()) {
      await owner.query(`begin; ${await sql(`migrations/${file}`)}; commit`)
    }
  }
}

export interface Appended {
  readonly log: string
  readonly first_seq: string
  readonly appended: number
}

/** What one entry needs; the rest is the same for all. */
export type Draft = Pick<LedgerRecord, 'log' | 'body'> & Partial<LedgerRecord>

export const appendText = 'select * from audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)'

export function appendValues(drafts: readonly Draft[]): string[] {
  const columns = ['log', 'tenantId', 'caller', 'actor', 'action', 'outcome', 'code', 'requestId', 'body'] as const
  return columns.map((column) =>
    drafts.map((draft) => draft[column] ?? (column === 'outcome' ? 'allow' : '')).join('\n'),
  )
}

export async function append(client: Client, drafts: readonly Draft[]): Promise<readonly Appended[]> {
  return (await client.query<Appended>(appendText, appendValues(drafts))).rows
}

/** Reads a whole log as the superuser and verifies it against its head: size, last hash, and the root of the frontier. */
export async function verifyLog(admin: Client, log: string): Promise<VerifyResult> {
  const heads = await admin.query<Head>('select size, frontier, last_hash from audits.heads where log = $1', [log])
  const head = heads.rows[0]
  if (head === undefined) throw new Error(`the log ${log} has no head: make it with audits.create_log`)
  const size = Number(head.size)
  const root = Frontier.fromBytes(size, head.frontier).root().toString('hex')
  return verifyChain(await itemsOf(admin, log), { log, head: { size, root, lastHash: head.last_hash.toString('hex') } })
}

export async function itemsOf(admin: Client, log: string): Promise<readonly ChainItem[]> {
  const text = 'select seq, entry, leaf from audits.entries where log = $1 order by seq'
  const { rows } = await admin.query<{ seq: string; entry: Buffer; leaf: Buffer }>(text, [log])
  return rows.map(({ seq, entry, leaf }) => ({ seq: BigInt(seq), entry, leaf }))
}

interface Head {
  readonly size: string
  readonly frontier: Buffer
  readonly last_hash: Buffer
}

function sql(name: string): Promise<string> {
  return readFile(new URL(`../store/${name}`, import.meta.url), 'utf8')
}
