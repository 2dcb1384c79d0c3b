import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { Io } from './io.ts'
import { run } from './main.ts'
import type { Ready, Running, ServerRoom } from './server-room.ts'

// For tests: an Io that keeps what is written, a server that answers what it is told, and a server room without a server.

export interface FakeIo extends Io {
  readonly written: { out: string; err: string }
  readonly slept: number[]
  readonly exits: number[]
  signal(name: 'SIGINT' | 'SIGTERM'): void
}

export const nowMs = Date.parse('2026-11-21T12:00:00Z')

export function fakeIo(given: Partial<Io> & { readonly input?: string } = {}): FakeIo {
  const written = { out: '', err: '' }
  const slept: number[] = []
  const exits: number[] = []
  const listeners: ((signal: 'SIGINT' | 'SIGTERM') => void)[] = []
  const terminal = (name: 'out' | 'err'): Io['out'] => ({
    write: (text) => void (written[name] += text),
    interactive: false,
    colours: false,
  })
  return {
    env: {},
    out: terminal('out'),
    err: terminal('err'),
    stdin: chunks(given.input ?? ''),
    now: () => nowMs,
    monotonic: () => 0,
    sleep: (ms) => Promise.resolve(void slept.push(ms)),
    onSignal: (listener) => void listeners.push(listener),
    exit: (code) => void exits.push(code),
    server: () => Promise.resolve(fakeServerRoom()),
    ...given,
    written,
    slept,
    exits,
    signal: (name) => {
      for (const listener of listeners) listener(name)
    },
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** Runs one command line, split at blanks. */
export async function runLine(line: string, io: FakeIo = fakeIo()): Promise<Ran> {
  const code = await run(line.split(' '), io)
  return { code, ...io.written }
}

export interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly message: Readonly<Record<string, unknown>>
}

export interface Answer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export interface FakeServer extends AsyncDisposable {
  readonly url: string
  readonly seen: Seen[]
}

/** Answers each call with what `answer` says; `destroy` closes the connection without an answer. */
export async function fakeServer(answer: (seen: Seen, count: number) => Answer | 'destroy'): Promise<FakeServer> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    void readAll(request).then((text) => {
      const form = request.headers['content-type'] === 'application/x-www-form-urlencoded'
      const message: Seen['message'] = form
        ? Object.fromEntries(new URLSearchParams(text))
        : text === ''
          ? {}
          : JSON.parse(text)
      const call = { path: request.url ?? '', headers: request.headers, message }
      seen.push(call)
      const reply = answer(call, seen.length)
      if (reply === 'destroy') return request.socket.destroy()
      response.writeHead(reply.status ?? 200, {
        'content-type': 'application/json',
        'x-request-id': `req_${seen.length}`,
        ...reply.headers,
      })
      return response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

export class FakeStartError extends Error {
  readonly problems: readonly string[]

  constructor(message: string, problems: readonly string[]) {
    super(message)
    this.problems = problems
  }
}

export function fakeServerRoom(given: Partial<ServerRoom> = {}): ServerRoom {
  return {
    up: () => Promise.resolve(running()),
    serve: () => Promise.resolve(running()),
    migrateWith: () => Promise.resolve({ applied: [{ version: 1, name: 'spine' }], adminKey: null }),
    backUp: () => Promise.reject(new Error('no instance here')),
    restore: () => Promise.reject(new Error('no instance here')),
    down: () => Promise.resolve('stopped'),
    rotateTokenKeys: () => Promise.resolve({ algorithm: 'ES256', signsInSeconds: 3600 }),
    listDeadLetters: () => Promise.resolve([]),
    replayDeadLetters: () => Promise.resolve(0),
    testWebhook: () => Promise.resolve({ id: 'ent_1', problem: undefined }),
    recoverAdmin: () => Promise.resolve({ adminKey: 'pc_recovered', signInPath: '/sign-in?code=x' }),
    recoverAdminWith: () => Promise.resolve({ adminKey: 'pc_recovered_with', signInPath: '/sign-in?code=y' }),
    setPassword: (_, { name }) => Promise.resolve(`opr_${name}`),
    setPasswordWith: (_, { name }) => Promise.resolve(`opr_${name}`),
    examine: () => Promise.resolve({ database: { problems: [], skewMs: 3 }, issuer: undefined }),
    pruneLedger: () => Promise.resolve([]),
    listRetention: () => Promise.resolve({ logs: [], months: [], holds: [] }),
    placeHold: () => Promise.resolve(),
    releaseHold: () => Promise.resolve(),
    setRetentionClass: (_, tenant, retentionClass) => Promise.resolve(`${tenant}/${retentionClass}`),
    rotateSecrets: () =>
      Promise.resolve({ newest: 'file:0011', prepared: false, resumed: false, rewrapped: 2, skipped: 0 }),
    showPolicySchema: () => 'namespace Portcullis {}\n',
    checkPolicies: () => Promise.resolve({ ok: true, files: 1, policies: 2, problems: [], warnings: [] }),
    listSecrets: () => Promise.resolve({ keys: [], databaseProblem: null }),
    makeCheckpointKey: () => Promise.resolve(),
    showCheckpointKeys: ({ logs }) => Promise.resolve(logs.map((log) => ({ log, vkeys: [] }))),
    fileTally: (log) => {
      const lines: string[] = []
      return {
        add: (line) => void lines.push(line),
        finish: (name) => JSON.stringify({ log, entries: lines.length, root: 'r'.repeat(64), files: [name] }),
      }
    },
    frontierOfProof: () => undefined,
    openExport: () => Promise.reject(new Error('no export here')),
    verifyExport: () => Promise.reject(new Error('no export here')),
    StartError: FakeStartError,
    ...given,
  }
}

export function running(ready: Partial<Ready> = {}, more: Partial<Running> = {}): Running {
  const addresses = { grpc: '127.0.0.1:50051', http: '127.0.0.1:8080', management: '127.0.0.1:9091', public: null }
  return {
    ready: { event: 'ready', ...addresses, adminKey: null, consoleUrl: null, ...ready },
    notes: [],
    stop: () => Promise.resolve(),
    ...more,
  }
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of stream) parts.push(part)
  return Buffer.concat(parts).toString('utf8')
}

async function* chunks(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text)
}
