import type { Json } from '#core'

/** What a job gets to work with. */
export interface JobRun {
  /** `job_...` */
  readonly id: string
  readonly kind: string
  /** 1 is the first. */
  readonly attempt: number
  readonly trigger: string
  /** The name of the tenant whose job it is. */
  readonly tenant: string
  /** What the trigger brought along. */
  readonly data: Readonly<Record<string, unknown>>
  /** Aborts where the time is up, the job was canceled or killed, or is not this process's any more. A job MUST obey it. */
  readonly signal: AbortSignal
  /** What GetJob shows until there is a result. */
  readonly progress: (found: JobResult) => Promise<void>
}

export type JobResult = Readonly<Record<string, Json>>

/** One kind of work. Throws where it failed; it is then tried again as the settings say. */
export type JobHandler = (run: JobRun) => Promise<JobResult>

const resultBytesMax = 60 * 1024

/** A result that is too large says so in its place. */
export function boundedResult(result: JobResult): JobResult {
  const bytes = Buffer.byteLength(JSON.stringify(result))
  return bytes <= resultBytesMax ? result : { truncated: true, bytes }
}
