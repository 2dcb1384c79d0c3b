import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { answers, freePort } from './ports.ts'

export interface NatsOptions {
  readonly token?: string
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string; readonly verify: boolean }
  readonly jetstream?: boolean
  /** What anybody may publish to; to subscribe, only to the answers. */
  readonly mayPublish?: readonly string[]
}

/** A real nats-server with JetStream on a free port; what it stores outlives its process. */
export class TestNats {
  readonly port: number
  readonly #dir: string
  #process: ChildProcess | undefined

  private constructor(port: number, dir: string) {
    this.port = port
    this.#dir = dir
  }

  static async start(options: NatsOptions = {}): Promise<TestNats> {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-nats-'))
    const nats = new TestNats(await freePort(), dir)
    const { token, tls, jetstream = true, mayPublish } = options
    for (const name of ['ca', 'cert', 'key'] as const) if (tls) await writeFile(join(dir, name), tls[name])
    const lines = [
      `listen: "127.0.0.1:${nats.port}"`,
      ...(jetstream ? [`jetstream { store_dir: "${join(dir, 'store')}" }`] : []),
      ...(token === undefined ? [] : [`authorization { token: "${token}" }`]),
      ...(mayPublish === undefined
        ? []
        : [
            `authorization { users: [{ user: any, password: any, permissions: { publish: ${JSON.stringify(mayPublish)}, subscribe: ["_INBOX.>"] } }] }`,
            'no_auth_user: any',
          ]),
      ...(tls === undefined
        ? []
        : [`tls { ca_file: "${dir}/ca", cert_file: "${dir}/cert", key_file: "${dir}/key", verify: ${tls.verify} }`]),
    ]
    await writeFile(join(dir, 'nats.conf'), lines.join('\n'))
    await nats.start()
    return nats
  }

  async start(): Promise<void> {
    this.#process = spawn('nats-server', ['-c', join(this.#dir, 'nats.conf')], { stdio: 'ignore' })
    await answers(this.port, 'nats-server')
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    await ended
  }

  /** Keeps its connections and answers nothing, from when this resolves. */
  async freeze(): Promise<void> {
    const pid = this.#process?.pid
    if (pid === undefined) return
    process.kill(pid, 'SIGSTOP')
    while (!(await standsStill(pid))) await delay(5)
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async remove(): Promise<void> {
    await this.end()
    await rm(this.#dir, { recursive: true, force: true })
  }
}

/** Whether every thread of a process is stopped: a signal takes its time. */
async function standsStill(pid: number): Promise<boolean> {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8')))
  return stats.every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'))
}
