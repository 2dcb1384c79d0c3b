import type { DoctorRoom } from './doctor-room.ts'
import type { ExportRoom } from './export-room.ts'
import type { PolicyRoom } from './policy-room.ts'
import type { RetentionRoom } from './retention-room.ts'
import type { SecretsRoom } from './secrets-room.ts'
import type { WebhooksRoom } from './webhooks-room.ts'

/** What the CLI uses of the server room. */
export interface ServerRoom extends DoctorRoom, ExportRoom, PolicyRoom, RetentionRoom, SecretsRoom, WebhooksRoom {
  up(options: { readonly dir: string; readonly env: Env; readonly workers?: number }): Promise<Running>
  serve(options: { readonly configFile: string; readonly env: Env; readonly workers?: number }): Promise<Running>
  migrateWith(options: {
    readonly configFile: string
    readonly env: Env
    readonly plan: boolean
  }): Promise<{ readonly applied: readonly Migration[]; readonly adminKey: string | null }>
  backUp(options: {
    readonly dir: string
    readonly to: string
    readonly progress: OnProgress
  }): Promise<{ readonly created: string; readonly logs: readonly LogSize[]; readonly keys: readonly KeyName[] }>
  restore(options: { readonly from: string; readonly dir: string; readonly progress: OnProgress }): Promise<{
    readonly home: string
    readonly created: string
    readonly logs: readonly LogSize[]
    readonly missingKeys: readonly KeyName[]
  }>
  down(dir: string): Promise<'stopped' | 'not_running'>
  recoverAdmin(dir: string): Promise<Recovered>
  recoverAdminWith(options: { readonly configFile: string; readonly env: Env }): Promise<Recovered>
  /** Answers the id of the operator. */
  setPassword(dir: string, person: NewPassword): Promise<string>
  setPasswordWith(options: { readonly configFile: string; readonly env: Env }, person: NewPassword): Promise<string>
  makeCheckpointKey(file: string): Promise<void>
  showCheckpointKeys(options: {
    readonly dir: string
    readonly configFile: string | undefined
    readonly env: Env
    readonly logs: readonly string[]
  }): Promise<readonly { readonly log: string; readonly vkeys: readonly string[] }[]>
  readonly StartError: new (...args: never[]) => Error & { readonly problems: readonly string[] }
}

export type OnProgress = (done: { readonly bytes: number; readonly totalBytes: number }) => void

interface NewPassword {
  readonly tenant: string
  readonly name: string
  readonly password: string
}

interface LogSize {
  readonly log: string
  readonly size: number
}

interface KeyName {
  readonly file: string
  readonly fingerprint: string
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
  /** The listeners for agents with client certificates. */
  readonly agentsGrpc?: string | null
  readonly agentsHttp?: string | null
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
