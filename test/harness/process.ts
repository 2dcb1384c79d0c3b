import { newFolder, Portcullis, type Exit, type ReadyLine } from './portcullis.ts'
import { call, removeInstance, type Answer, type CallOptions } from './instance.ts'

/** The product as its users start it: a process of its own, in a folder of its own, on free ports. */
export interface ServerProcess {
  readonly dir: string
  readonly ready: ReadyLine
  /** `http://host:port` */
  readonly url: string
  readonly grpc: string
  /** One call over HTTP as JSON, as the admin unless `more` says otherwise. */
  call(method: string, body?: object, more?: CallOptions): Promise<Answer>
  /** An agent with a key of those scopes. */
  agent(
    name: string,
    scopes: readonly string[],
  ): Promise<{ readonly id: string; readonly key: string; readonly keyId: string }>
  /** A command of the product against this server, as the admin or with another key. */
  cli(args: readonly string[], key?: string): Promise<Exit>
  /** All that the process has written to stderr. */
  log(): string
  stop(): Promise<void>
}

export async function startProcess(env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
  const dir = await newFolder()
  const process = Portcullis.up(dir, env)
  const ready = await process.ready()
  const { adminKey } = ready
  if (adminKey === null) throw new Error('a first start without an admin key')
  const url = `http://${ready.http}`
  const server: ServerProcess = {
    dir,
    ready,
    url,
    grpc: ready.grpc,
    call: (method, body = {}, more = {}) => call(url, method, body, { key: adminKey, ...more }),
    agent: async (name, scopes) => {
      const agent = await server.call('IdentityService/CreateAgent', { name })
      const key = await server.call('IdentityService/CreateKey', { agentId: agent.body.agent.id, scopes })
      return { id: agent.body.agent.id, key: key.body.key, keyId: key.body.apiKey.id }
    },
    cli: (args, key = adminKey) => new Portcullis(args, { PORTCULLIS_URL: url, PORTCULLIS_KEY: key }).exited,
    log: () => process.stderr,
    stop: async () => {
      await process.end()
      await removeInstance(dir)
    },
  }
  return server
}
