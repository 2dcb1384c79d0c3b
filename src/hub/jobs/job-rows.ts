/** A job as stored; `state` is the number of JobState. */
export interface JobRow {
  readonly id: string
  readonly kind: string
  readonly state: number
  readonly trigger: string
  readonly actor: string
  readonly requestId: string
  readonly attempts: number
  readonly error: string
  readonly resultJson: string
  readonly createdAtMs: number
  readonly startedAtMs: number | null
  readonly finishedAtMs: number | null
}

export interface JobTrigger {
  readonly id: string
  readonly kind: string
  readonly trigger: 'manual' | 'schedule'
  readonly actor: string
  readonly requestId: string
  /** The number of JobOverlap. */
  readonly overlap: number
  readonly retries: number
  readonly timeoutSeconds: number
  readonly dataJson: string
  /** Refused where so many of the kind have not ended. */
  readonly waitingMax: number
}

/** `job.running` with the id of the one that is in the way. */
export interface JobTriggered {
  readonly verdict: 'done' | 'job.running'
  readonly id: string
}

export interface JobCancel {
  readonly id: string
  readonly reason: string
  /** Kinds whose jobs do not exist for who asks. */
  readonly kept: readonly string[]
}

export interface JobFilter {
  readonly kind?: string
  readonly state?: number
}
