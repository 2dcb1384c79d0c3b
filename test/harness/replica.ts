import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { serve } from '../../src/server/serve.ts'
import { call, databaseOf, type TestInstance } from './instance.ts'

export interface Replica {
  /** `http://host:port` */
  readonly url: string
  /** One call over HTTP as JSON; answers its status. */
  readonly post: (method: string, key: string, body?: object) => Promise<number>
  /** Entries that a sink has not acknowledged, by its gauge; undefined before it is known. */
  readonly lag: (sink: string) => Promise<number | undefined>
  stop(): Promise<void>
}

let replicas = 0

/** Another server over the database of an instance, with sinks; relative files start at the folder of the instance. */
export async function startReplica(
  instance: TestInstance,
  sinks: readonly object[],
  more: object = {},
): Promise<Replica> {
  const { user, password, host, port, database } = await databaseOf(instance.dir, 'portcullis_app')
  const file = join(instance.dir, `replica-${(replicas += 1)}.yaml`)
  const settings = {
    database: { url: `postgres://${user}:${password}@${host}:${port}/${database}` },
    listen: { grpc: '127.0.0.1:0', http: '127.0.0.1:0', management: '127.0.0.1:0' },
    log: { level: 'fatal' },
    limits: { rate: { key: { perSecond: 5000, burst: 5000 } } },
    // Nothing here waits for checkpoints.
    audit: { origin: 'ledger.example', sinks, checkpoints: { acknowledgements: 0 } },
    // Replicas open what the first one stored.
    secrets: { keyFile: join(embeddedHome(instance.dir).home, 'master-key') },
    ...more,
  }
  // JSON is YAML.
  await writeFile(file, JSON.stringify(settings), { mode: 0o600 })
  const running = await serve({ configFile: file, env: {} })
  return {
    url: `http://${running.ready.http}`,
    post: async (method, key, body = {}) => (await call(`http://${running.ready.http}`, method, body, { key })).status,
    lag: async (sink) => {
      const text = await (await fetch(`http://${running.ready.management}/metrics`)).text()
      const line = new RegExp(`^portcullis_ledger_sink_lag_entries\\{sink="${sink}"\\} (\\d+)`, 'm')
      const [, value] = line.exec(text) ?? []
      return value === undefined ? undefined : Number(value)
    },
    stop: () => running.stop(),
  }
}

/** Every entry that the ledger has of a log, as the superuser sees it. */
export async function entriesOf(instance: TestInstance, log: string): Promise<readonly string[]> {
  const admin = await instance.connect('postgres')
  const text = 'select entry from audits.entries where log = $1 order by seq'
  const { rows } = await admin.query<{ entry: Buffer }>(text, [log])
  await admin.end()
  return rows.map(({ entry }) => entry.toString())
}
