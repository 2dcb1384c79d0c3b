/** What the commands about retention use of the server room. */
export interface RetentionRoom {
  pruneLedger(
    place: RetentionPlace,
    options: {
      readonly archive: string | undefined
      readonly waitMs: number
      readonly withoutSinks: readonly string[]
      readonly say: (line: string) => void
    },
  ): Promise<readonly PrunedClass[]>
  listRetention(place: RetentionPlace): Promise<RetentionView>
  placeHold(place: RetentionPlace, hold: NewHold): Promise<void>
  releaseHold(place: RetentionPlace, id: string, reason: string): Promise<void>
  setRetentionClass(place: RetentionPlace, tenant: string, retentionClass: string): Promise<string>
}

/** The deployment that retention is about, and who acts. */
export interface RetentionPlace {
  readonly configFile?: string | undefined
  readonly dir: string
  readonly env: Env
  readonly by?: string | undefined
}

export interface NewHold {
  readonly tenant?: string | undefined
  readonly log?: string | undefined
  readonly reason: string
  readonly until?: string | undefined
}

interface RetentionPolicy {
  readonly framework: string
  readonly keepDays: number
  readonly hotDays: number
}

export interface PrunedClass {
  readonly retentionClass: string
  readonly policy: RetentionPolicy | undefined
  readonly months: readonly { readonly name: string; readonly stays: string | undefined; readonly why: string }[]
  readonly logs: readonly {
    readonly log: string
    readonly from: number
    readonly below: number
    readonly archive: string | undefined
  }[]
  readonly keepArchiveUntil: string | undefined
}

export interface RetentionView {
  readonly logs: readonly {
    readonly log: string
    readonly class: string
    readonly entries: number
    readonly begins_at: number
    readonly goes_on_in?: string
    readonly policy: RetentionPolicy | null
  }[]
  readonly months: readonly {
    readonly name: string
    readonly class: string
    readonly month: string
    readonly bytes: number
  }[]
  readonly holds: readonly {
    readonly id: string
    readonly subject: string
    readonly reason: string
    readonly placedBy: string
    readonly placedAt: string
    readonly until: string | undefined
    readonly releasedAt: string | undefined
  }[]
}

type Env = Record<string, string | undefined>
