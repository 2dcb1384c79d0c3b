import type { Client } from 'pg'
import type { ReadScope } from '#hub'
import { Frontier, TiledTree } from '#ledger'
import { Connection, send, type ConnectionSettings, type Statement } from './connection.ts'
import { readAs } from './read-as.ts'
import { TlogReader } from './tiles.ts'

const tilesAtOnce = 64

/** How far one log has come, and its checkpoints. */
export interface CheckpointProgress {
  readonly log: string
  readonly size: number
  /** The size that the newest checkpoint covers; 0 before the first. */
  readonly signed: number
  /** What each sink has acknowledged. */
  readonly anchors: Readonly<Record<string, number>>
  readonly stopped: string | undefined
}

/** The same for whoever signs it. */
export interface CheckpointState extends CheckpointProgress {
  /** Bare UUID; undefined for logs of the platform. */
  readonly tenantId: string | undefined
  /** The newest one; its root in hex. */
  readonly checkpoint: { readonly size: number; readonly root: string; readonly note: string } | undefined
}

interface ProgressRow {
  readonly log: string
  readonly size: string
  readonly checkpoint_size: string
  readonly anchors: Readonly<Record<string, number>> | null
  readonly stopped: string | null
}

interface StateRow extends ProgressRow {
  readonly tenant_id: string | null
  readonly root: Uint8Array | null
  readonly note: string | null
}

/** The tables behind checkpoints, across tenants, on a connection of its own (SPEC L8). */
export class CheckpointStore {
  readonly #connection: Connection
  readonly #tlog = new TlogReader((scope, statement) => this.#scoped(scope, statement))

  constructor(settings: ConnectionSettings) {
    this.#connection = new Connection(settings, 'checkpoints')
  }

  /** Of every log. */
  async progress(): Promise<readonly CheckpointProgress[]> {
    const text = 'select s.log, s.size, s.checkpoint_size, s.anchors, s.stopped from audits.checkpoint_state() s'
    return (await this.#rows<ProgressRow>('checkpoint.progress', text, [])).map(progressOf)
  }

  /** Of the log that entries for this one go to now; undefined where there is none. */
  async state(log: string): Promise<CheckpointState | undefined> {
    const text = 'select * from audits.checkpoint_state($1)'
    const [row] = await this.#rows<StateRow>('checkpoint.state', text, [log])
    return row === undefined ? undefined : stateOf(row)
  }

  /**
   * Does the work while no other replica does it for this log; `busy` where one is at it. The lock goes with the connection: where
   * that is lost another replica may begin, which costs work and no more, for `add` takes sizes that grow only.
   */
  async alone<Result>(log: string, work: () => Promise<Result>): Promise<Result | 'busy'> {
    const client = await this.#connection.client()
    if (!(await locked(client, 'pg_try_advisory_lock', log))) return 'busy'
    try {
      return await work()
    } finally {
      await locked(client, 'pg_advisory_unlock', log).catch(() => undefined)
    }
  }

  /** Makes the tiles that are complete, in steps that hold nothing for long. */
  async extendTiles(log: string): Promise<void> {
    const text = 'select audits.extend_tiles($1, $2::int) as made'
    for (;;) {
      const [row] = await this.#rows<{ made: number }>('checkpoint.tiles', text, [log, tilesAtOnce])
      if ((row?.made ?? 0) < tilesAtOnce) return
    }
  }

  /** Size and root of the head, which appending keeps up to date; the root in hex. */
  async head(state: CheckpointState): Promise<{ readonly size: number; readonly root: string }> {
    const [row] = await this.#scoped<{ size: string; frontier: Uint8Array }>(scopeOf(state), {
      name: 'checkpoint.head',
      text: 'select h.size, h.frontier from audits.heads h where h.log = $1',
      values: [state.log],
    })
    if (row === undefined) throw new Error(`the log ${state.log} has no head`)
    const size = Number(row.size)
    return { size, root: Frontier.fromBytes(size, row.frontier).root().toString('hex') }
  }

  /** The root over the first `size` entries, from tiles and the entries behind them; in hex. */
  async rootAt(state: CheckpointState, size: number): Promise<string> {
    const scope = scopeOf(state)
    const tree = new TiledTree(size, (level, index, width) => this.#tlog.hashes(scope, state.log, level, index, width))
    return (await tree.root()).toString('hex')
  }

  /** False where one of this size or of a larger one is there. The root in hex. */
  async add(log: string, size: number, root: string, note: string): Promise<boolean> {
    const text = `select audits.add_checkpoint($1, $2::bigint, decode($3, 'hex'), $4) as added`
    const [row] = await this.#rows<{ added: boolean }>('checkpoint.add', text, [log, size, root, note])
    return row?.added === true
  }

  async anchored(log: string, sink: string, size: number): Promise<void> {
    await this.#rows('checkpoint.anchor', 'select audits.note_anchor($1, $2, $3::bigint)', [log, sink, size])
  }

  /** True where it was signed until now. */
  async stop(log: string, reason: string): Promise<boolean> {
    const text = 'select audits.stop_checkpoints($1, $2) as changed'
    const [row] = await this.#rows<{ changed: boolean }>('checkpoint.stop', text, [log, reason])
    return row?.changed === true
  }

  /** True where it was stopped until now. */
  async resume(log: string): Promise<boolean> {
    const text = 'select audits.resume_checkpoints($1) as changed'
    const [row] = await this.#rows<{ changed: boolean }>('checkpoint.resume', text, [log])
    return row?.changed === true
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #rows<Row>(name: string, text: string, values: Statement['values']): Promise<readonly Row[]> {
    const client = await this.#connection.client()
    const { rows } = await send(client, { name, text, values })
    return rows as readonly Row[]
  }

  async #scoped<Row>(scope: ReadScope, statement: Statement): Promise<readonly Row[]> {
    return readAs<Row>(await this.#connection.client(), scope, statement)
  }
}

function scopeOf({ tenantId }: CheckpointState): ReadScope {
  return { tenantId: tenantId ?? '', platform: tenantId === undefined }
}

async function locked(
  client: Client,
  how: 'pg_try_advisory_lock' | 'pg_advisory_unlock',
  log: string,
): Promise<boolean> {
  const text = `select ${how}(hashtextextended('portcullis checkpoint ' || $1, 0)) as done`
  const { rows } = await send(client, { name: `checkpoint.${how}`, text, values: [log] })
  return rows[0]?.['done'] === true
}

function progressOf({ log, size, checkpoint_size: signed, anchors, stopped }: ProgressRow): CheckpointProgress {
  return { log, size: Number(size), signed: Number(signed), anchors: anchors ?? {}, stopped: stopped ?? undefined }
}

function stateOf(row: StateRow): CheckpointState {
  const { root, note, tenant_id: tenantId } = row
  const progress = progressOf(row)
  const checkpoint =
    root === null || note === null
      ? undefined
      : { size: progress.signed, root: Buffer.from(root).toString('hex'), note }
  return { ...progress, tenantId: tenantId ?? undefined, checkpoint }
}
