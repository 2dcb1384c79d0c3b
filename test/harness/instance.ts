import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { up, type Running } from '#server'
import { firstStart } from './first-start.ts'

export interface TestInstance {
  readonly dir: string
  readonly running: Running
  /** `http://host:port` */
  readonly url: string
  readonly grpc: string
  readonly adminKey: string
  /** Signs the first admin in, once. */
  readonly consoleUrl: string
  /** One call over HTTP as JSON. */
  call(method: string, body?: object, more?: CallOptions): Promise<Answer>
  /** A connection as one of the roles of the database, or as its superuser; closed with the instance. */
  connect(role: 'postgres' | 'portcullis_owner' | 'portcullis_app' | 'portcullis_reader'): Promise<Client>
  /** An agent with a key of those scopes. */
  agent(
    name: string,
    scopes: readonly string[],
  ): Promise<{ readonly id: string; readonly key: string; readonly keyId: string }>
  stop(): Promise<void>
}

export interface CallOptions {
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- a reply of any method
  readonly body: any
}

/** A whole instance on free ports with a PostgreSQL of its own, in a folder that goes away with it. */
export async function startInstance(env: Readonly<Record<string, string>> = {}): Promise<TestInstance> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-test-'))
  const { adminKey, signInCode } = await firstStart(dir)
  const running = await up({ dir, env: { ...freePorts, PORTCULLIS__LOG__LEVEL: 'error', ...env } })
  const url = `http://${running.ready.http}`
  const clients: Client[] = []
  const instance: TestInstance = {
    dir,
    running,
    url,
    grpc: running.ready.grpc,
    adminKey,
    consoleUrl: `${url}/sign-in?code=${signInCode}`,
    call: (method, body = {}, more = {}) => call(url, method, body, { key: adminKey, ...more }),
    connect: async (role) => {
      const client = new Client({ ...(await databaseOf(dir, role)) })
      // A test may end the server under its connection.
      client.on('error', () => undefined)
      await client.connect()
      clients.push(client)
      return client
    },
    agent: async (name, scopes) => {
      const agent = await instance.call('IdentityService/CreateAgent', { name })
      const key = await instance.call('IdentityService/CreateKey', { agentId: agent.body.agent.id, scopes })
      return { id: agent.body.agent.id, key: key.body.key, keyId: key.body.apiKey.id }
    },
    stop: async () => {
      await Promise.all(clients.map((client) => client.end().catch(() => undefined)))
      await running.stop()
      await removeInstance(dir)
    },
  }
  return instance
}

export const freePorts = {
  PORTCULLIS__LISTEN__GRPC: '127.0.0.1:0',
  PORTCULLIS__LISTEN__HTTP: '127.0.0.1:0',
  PORTCULLIS__LISTEN__MANAGEMENT: '127.0.0.1:0',
} as const

/** Removes the folder of an instance and, as root, the place its files were moved to. */
export async function removeInstance(dir: string): Promise<void> {
  const { home } = embeddedHome(dir)
  await rm(home, { recursive: true, force: true })
  await rm(dir, { recursive: true, force: true })
}

export async function call(url: string, method: string, body: object, { key, headers }: CallOptions): Promise<Answer> {
  const response = await fetch(`${url}/portcullis.v1.${method}`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: JSON.stringify(body),
    // Far beyond any answer: a call that hangs is one that got none.
    signal: AbortSignal.timeout(30_000),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

export async function databaseOf(
  dir: string,
  role: string,
): Promise<{ host: string; port: number; user: string; password: string; database: string }> {
  const { home } = embeddedHome(dir)
  const port = Number(await readFile(join(home, 'postgres-port'), 'utf8'))
  const password =
    role === 'postgres'
      ? (await readFile(join(home, 'postgres-password'), 'utf8')).trim()
      : JSON.parse(await readFile(join(home, 'database-passwords.json'), 'utf8'))[role]
  return { host: '127.0.0.1', port, user: role, password, database: 'portcullis' }
}
