import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Config } from '#config'
import type { WriterPort } from '#hub'
import type { Sink } from '#ledger'
import { CheckpointStore, type ConnectionSettings } from '#store'
import { signingKeyFile } from '../key-files.ts'
import { AnchorFiles } from './anchor-files.ts'
import { Checkpointer } from './checkpointer.ts'
import { loadCheckpointKeys } from './keys.ts'

interface Parts {
  readonly config: Config
  readonly connection: ConnectionSettings
  readonly sinks: readonly Sink[]
  readonly writer: WriterPort
  readonly log: Logger
}

/** Who signs the logs of this deployment; undefined where there is no key, which is said once. */
export function composeCheckpoints({ config, connection, sinks, writer, log }: Parts): Checkpointer | undefined {
  const { origin: host, checkpoints } = config.audit
  // An embedded PostgreSQL keeps its data in a folder below: what stands beside that folder is not restored with it.
  const home = connection.dataDir
  const keyFile = checkpoints.keyFile ?? (home === undefined ? undefined : join(home, signingKeyFile))
  const dir = checkpoints.dir ?? (home === undefined ? undefined : join(home, 'checkpoints'))
  if (keyFile === undefined) {
    log.warn(
      { event: 'ledger.unsigned' },
      'the ledger is not signed: run `portcullis ledger key make FILE` and set audit.checkpoints.keyFile',
    )
    return undefined
  }
  const keys = loadCheckpointKeys({ keyFile, knownKeys: checkpoints.knownKeys })
  return new Checkpointer({
    store: new CheckpointStore(connection),
    keys,
    host,
    sinks,
    anchors: dir === undefined ? undefined : new AnchorFiles(dir),
    everyMs: checkpoints.everySeconds * 1000,
    writer,
    log,
  })
}
