import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeAuthority, makeCertificate } from './certificates.ts'
import { answers, freePort } from './ports.ts'

/** A real rsyslogd that takes syslog over TLS from clients with a certificate, and writes the messages into files. */
export class TestRsyslog {
  readonly port: number
  readonly dir: string
  readonly #config: string
  #process: ChildProcess | undefined

  private constructor(port: number, dir: string) {
    this.port = port
    this.dir = dir
    this.#config = join(dir, 'rsyslog.conf')
  }

  static async start(): Promise<TestRsyslog> {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-rsyslog-'))
    const rsyslog = new TestRsyslog(await freePort(), dir)
    const authority = makeAuthority()
    const server = makeCertificate(authority, 'logs.example.com', ['logs.example.com', '127.0.0.1'])
    const client = makeCertificate(authority, 'portcullis')
    const files = { 'ca.pem': authority.cert, 'cert.pem': server.cert, 'key.pem': server.key }
    const more = { 'client.pem': client.cert, 'client.key': client.key }
    for (const [name, text] of Object.entries({ ...files, ...more }))
      await writeFile(join(dir, name), text, { mode: 0o600 })
    await writeFile(rsyslog.#config, await configOf(dir, rsyslog.port))
    await rsyslog.start()
    return rsyslog
  }

  async start(): Promise<void> {
    this.#process = spawn('rsyslogd', ['-n', '-f', this.#config, '-i', join(this.dir, 'pid')], { stdio: 'ignore' })
    await answers(this.port, 'rsyslogd')
  }

  /** What it has written, one message a line. */
  async messages(of: 'entries' | 'checkpoints'): Promise<readonly string[]> {
    const text = await readFile(join(this.dir, of), 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  async remove(): Promise<void> {
    await this.end('SIGKILL')
    await rm(this.dir, { recursive: true, force: true })
  }
}

/** The example of docs/sinks.md, in this folder and on this port. */
async function configOf(dir: string, port: number): Promise<string> {
  const page = await readFile('docs/sinks.md', 'utf8')
  const [, example] = /```text\n(global\([\s\S]*?)```/.exec(page) ?? []
  if (example === undefined) throw new Error('docs/sinks.md has no settings for rsyslog')
  return example
    .replaceAll(/"\/(?:var\/spool\/rsyslog|etc\/rsyslog\.d\/tls|var\/log\/portcullis)/g, `"${dir}`)
    .replace('port="6514"', `address="127.0.0.1" port="${port}"`)
}
