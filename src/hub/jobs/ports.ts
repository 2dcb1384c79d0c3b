/** A kind of job as the settings define it. */
export interface JobKind {
  readonly kind: string
  readonly description: string
  readonly enabled: boolean
  /** Five fields; empty where it runs on demand only. */
  readonly schedule: string
  readonly timeZone: string
  readonly overlap: 'refuse' | 'queue' | 'allow'
  readonly retries: number
  readonly timeoutSeconds: number
  readonly handler: 'builtin' | 'http' | 'module'
  /** The name of the tenant whose it is: others do not see it. */
  readonly tenant: string
}

/** The kinds of jobs that there are. */
export interface JobsPort {
  /** Of a tenant by its name, in the order of their names. */
  of(tenant: string): readonly JobKind[]
  /** When its schedule is due next; undefined where it has none. */
  nextRunAtMs(kind: JobKind): Promise<number | undefined>
}

export const noJobs: JobsPort = { of: () => [], nextRunAtMs: async () => undefined }
