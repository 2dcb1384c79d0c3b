/** What the CLI uses of the server room for the keys of a deployment. */
export interface SecretsRoom {
  rotateSecrets(options: RotateOptions): Promise<RotateReport>
  listSecrets(place: SecretsPlace): Promise<KeyInventory>
  rotateTokenKeys(place: SecretsPlace): Promise<{ readonly algorithm: string; readonly signsInSeconds: number }>
}

/** Whose keys: those of a folder of `up`, or of a settings file. */
export type SecretsPlace =
  { readonly dir: string; readonly env: Env } | { readonly configFile: string; readonly env: Env }

interface RotateOptions {
  readonly place: SecretsPlace
  readonly prepare: boolean
  readonly progress: (done: number, total: number) => void
}

export interface RotateReport {
  readonly newest: string
  readonly prepared: boolean
  readonly resumed: boolean
  readonly rewrapped: number
  readonly skipped: number
}

export interface KeyInventory {
  readonly keys: readonly {
    readonly name: string
    readonly state: string
    readonly protects: string
    readonly count: number | null
    readonly where: string
    readonly backup: string
    readonly loss: string
  }[]
  readonly databaseProblem: string | null
}

type Env = Readonly<Record<string, string | undefined>>
