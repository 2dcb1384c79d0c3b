import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { masterKeyFile } from '../../src/server/key-files.ts'
import { serve } from '../../src/server/serve.ts'
import { call, databaseOf, type Answer, type CallOptions, type TestInstance } from './instance.ts'

export interface TestServer {
  readonly grpc: string
  /** `http://host:port` */
  readonly url: string
  /** One call over HTTP as JSON; without a credential unless it is given. */
  call(method: string, body?: object, more?: CallOptions): Promise<Answer>
  /** The value of each series of a metric, by its labels as they are written. */
  metric(name: string): Promise<Readonly<Record<string, number>>>
  /** Takes over other settings while it runs. */
  reload(settings: object): Promise<void>
  stop(): Promise<void>
}

let servers = 0

/** `serve` with settings from a file, over the database of an instance; relative files start at the folder of the instance. */
export async function startServer(instance: TestInstance, settings: object): Promise<TestServer> {
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  const file = join(instance.dir, `server-${(servers += 1)}.yaml`)
  const write = (more: object): Promise<void> => {
    const all = {
      database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
      listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', management: '127.0.0.1:0' },
      log: { level: 'fatal' },
      secrets: { keyFile: masterKeyFile(embeddedHome(instance.dir).home) },
      ...more,
    }
    // JSON is YAML.
    return writeFile(file, JSON.stringify(all), { mode: 0o600 })
  }
  await write(settings)
  const running = await serve({ configFile: file, env: {} })
  const { grpc, http, management } = running.ready
  return {
    grpc,
    url: `http://${http}`,
    call: (method, body = {}, more = {}) => call(`http://${http}`, method, body, more),
    metric: async (name) => {
      const text = await (await fetch(`http://${management}/metrics`)).text()
      const lines = text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\d+)$`, 'gm'))
      return Object.fromEntries([...lines].map(([, labels = '', value]) => [labels.replaceAll('"', ''), Number(value)]))
    },
    reload: async (more) => {
      await write(more)
      process.emit('SIGHUP', 'SIGHUP')
    },
    stop: () => running.stop(),
  }
}

/** The body of the newest entry of a request, once it is there: entries of best effort follow the reply. */
export async function entryOf(instance: TestInstance, requestId: string): Promise<Record<string, unknown>> {
  const database = await instance.connect('postgres')
  for (;;) {
    const text = 'select entry, actor from audits.entries where request_id = $1 order by ts desc limit 1'
    const { rows } = await database.query<{ entry: Buffer; actor: string | null }>(text, [requestId])
    const [row] = rows
    if (row !== undefined) return { ...JSON.parse(row.entry.toString()).body, actorColumn: row.actor }
  }
}
