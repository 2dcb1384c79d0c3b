import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { embeddedHome } from '../src/server/embedded/index.ts'

const binary = new URL('../bin/portcullis.js', import.meta.url).pathname

/** A running instance with an embedded PostgreSQL. */
export interface Reached {
  readonly dir: string
  readonly grpc: string
  readonly url: string
  readonly adminKey: string
  call(method: string, body: object, key?: string): Promise<Reply>
  /** An agent whose key has a rate far above any load of a bench. */
  agent(name: string, scopes?: readonly string[]): Promise<{ readonly id: string; readonly key: string }>
  /** How to reach its PostgreSQL as that role. */
  database(role: string): Promise<{ host: string; port: number; user: string; password: string; database: string }>
}

/** The product as its users start it, in a process and a folder of its own, on free ports. */
export interface OurServer extends Reached {
  readonly pid: number
  /** Where its metrics are, as URL. */
  readonly management: string
  stop(): Promise<void>
}

// oxlint-disable-next-line typescript/no-explicit-any -- the JSON of any reply
type Reply = any

export async function startOurs(
  env: Readonly<Record<string, string>> = {},
  flags: readonly string[] = [],
): Promise<OurServer> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-bench-'))
  // By its first line, as a shell does: with the flags of V8 that it names.
  const child = spawn(binary, ['up', '--json', '--dir', dir, ...flags], {
    env: {
      ...process.env,
      PORTCULLIS__LISTEN__GRPC: '127.0.0.1:0',
      PORTCULLIS__LISTEN__HTTP: '127.0.0.1:0',
      PORTCULLIS__LISTEN__MANAGEMENT: '127.0.0.1:0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { grpc, http, management, adminKey } = await firstLine(child)
  return {
    ...reach({ dir, grpc, url: `http://${http}`, adminKey }),
    pid: child.pid ?? 0,
    management: `http://${management}`,
    stop: async () => {
      if (child.exitCode === null) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
      await rm(embeddedHome(dir).home, { recursive: true, force: true })
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** An instance of `up` that runs already; `dir` is its folder. */
export function reach({ dir, grpc, url, adminKey }: Pick<Reached, 'dir' | 'grpc' | 'url' | 'adminKey'>): Reached {
  const call = async (method: string, body: object, key = adminKey): Promise<Reply> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
    const response = await fetch(`${url}/portcullis.v1.${method}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    const reply: Reply = await response.json()
    if (!response.ok) throw new Error(`${method}: ${JSON.stringify(reply)}`)
    return reply
  }
  return {
    dir,
    grpc,
    url,
    adminKey,
    call,
    agent: async (name, scopes = ['telemetry:write']) => {
      const { agent } = await call('IdentityService/CreateAgent', { name })
      const { key } = await call('IdentityService/CreateKey', {
        agentId: agent.id,
        scopes,
        ratePerSecond: 1_000_000,
        rateBurst: 1_000_000,
      })
      return { id: agent.id, key }
    },
    database: async (user) => {
      const { home } = embeddedHome(dir)
      const passwords: Record<string, string> = JSON.parse(
        await readFile(join(home, 'database-passwords.json'), 'utf8'),
      )
      const port = Number(await readFile(join(home, 'postgres-port'), 'utf8'))
      return { host: '127.0.0.1', port, user, password: passwords[user] ?? '', database: 'portcullis' }
    },
  }
}

async function firstLine(child: ChildProcess): Promise<Reply> {
  if (child.stdout === null) throw new Error('no stdout')
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line)
  throw new Error('the server ended before it was ready; its messages are above')
}
