/** What the CLI uses of the server room. */
export interface ServerRoom {
  up(options: { readonly dir: string; readonly env: Env; readonly workers?: number }): Promise<Running>
  serve(options: { readonly configFile: string; readonly env: Env; readonly workers?: number }): Promise<Running>
  migrateWith(options: {
    readonly configFile: string
    readonly env: Env
    readonly plan: boolean
  }): Promise<{ readonly applied: readonly Migration[]; readonly adminKey: string | null }>
  down(dir: string): Promise<'stopped' | 'not_running'>
  recoverAdmin(dir: string): Promise<Recovered>
  recoverAdminWith(options: { readonly configFile: string; readonly env: Env }): Promise<Recovered>
  methodNames(): readonly string[]
  exportTally(): ExportTally
  verifyExport(file: string): Promise<ExportVerdict>
  readonly StartError: new (...args: never[]) => Error & { readonly problems: readonly string[] }
}

/** Adds up an export while it is written. */
export interface ExportTally {
  add(line: string): void
  finish(): ExportManifest
}

/** What stands beside an export: which entries it holds and what they hash to. */
export interface ExportManifest {
  readonly format: 'portcullis-ledger-ndjson/1'
  readonly log: string
  readonly from: number
  readonly to: number
  readonly entries: number
  /** Merkle root of the whole log up to `to`; null where the export does not begin at 0. */
  readonly root: string | null
  /** Record hash of the last entry. */
  readonly last_hash: string
  /** Of the file. */
  readonly sha256: string
}

export interface ExportVerdict {
  readonly chain_valid: boolean
  readonly log: string
  readonly from: number
  readonly to: number
  readonly root: string
  readonly first_bad_seq?: number
  readonly problem?: string
  readonly detail: string
  /** Whether a manifest stood beside the file; without one a cut tail goes unseen. */
  readonly manifest: boolean
}

export interface Running {
  readonly ready: Ready
  readonly notes: readonly string[]
  stop(): Promise<void>
}

export interface Ready {
  readonly event: 'ready'
  readonly grpc: string
  readonly http: string
  readonly management: string
  readonly public: string | null
  readonly adminKey: string | null
  readonly consoleUrl: string | null
}

export interface Recovered {
  readonly adminKey: string
  readonly signInPath: string
}

export interface Migration {
  readonly version: number
  readonly name: string
}

type Env = Record<string, string | undefined>

/** The server with all it brings takes longer to load than a client command may take: only on demand. */
export async function loadServerRoom(): Promise<ServerRoom> {
  return await import('#server')
}
