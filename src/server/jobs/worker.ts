import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { publicId, type Refusal } from '#core'
import type { JobKind } from '#hub'
import { maskText } from '#ledger'
import type { JobQueue, StartedJob } from '#store'
import type { Boss, Claim } from './boss.ts'
import { boundedResult, type JobHandler } from './job.ts'

const lookEveryMs = 2000
const beatEveryMs = 1000
// Shorter than the 5 s after which others take a job over: who does not reach the database stops before.
const leaseMs = 4000
const stopMs = 5000
const messageMax = 1000

export interface WorkerParts {
  readonly queue: JobQueue
  readonly boss: Boss
  /** Jobs at a time. */
  readonly slots: number
  readonly handlerOf: (job: StartedJob) => { readonly kind: JobKind; readonly handler: JobHandler } | undefined
  /** Why jobs of the kind must not run now: a kill of the kind, the tenant or everything (SPEC K1). */
  readonly killed: (kind: string, tenant: string) => Refusal | undefined
  /** Told that jobs may have ended: their entries are to be written. */
  readonly ended: () => Promise<void>
  readonly log: Logger
}

interface Running {
  readonly claim: Claim
  readonly abort: AbortController
  readonly job: StartedJob
  /** Set where the attempt is not ours to settle any more. */
  gone: boolean
}

/**
 * Works on jobs: looks every two seconds and when it is told, takes what is due, beats for what runs, and gives up what is not its own
 * any more. Jobs of a worker that went silent are tried again by whoever looks first.
 */
export class JobWorker {
  readonly #parts: WorkerParts
  readonly #name = `${hostname().slice(0, 40)}:${process.pid}`
  readonly #running = new Map<string, Running>()
  readonly #working = new Set<Promise<void>>()
  #look: NodeJS.Timeout | undefined
  #beat: NodeJS.Timeout | undefined
  #pass: Promise<void> | undefined
  #beating = false
  #again = false
  #closed = false

  constructor(parts: WorkerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#look = setInterval(() => this.wake(), lookEveryMs)
    this.#look.unref()
    this.wake()
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#closed) return
    this.#again = true
    this.#pass ??= this.#passes().finally(() => {
      this.#pass = undefined
      if (this.#again) this.wake()
    })
  }

  /** Gives back what runs, for others to try. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#look)
    await this.#pass
    for (const running of this.#running.values()) running.abort.abort(new Error('the server is stopping'))
    const late = new Promise((resolve) => setTimeout(resolve, stopMs).unref())
    await Promise.race([Promise.all(this.#working), late])
    clearInterval(this.#beat)
  }

  async #passes(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      try {
        await this.#once()
      } catch (error) {
        this.#parts.log.warn({ event: 'jobs.look', err: error }, 'jobs wait: the store cannot be asked')
      }
    }
  }

  async #once(): Promise<void> {
    const { boss, ended, queue, slots, log } = this.#parts
    const sight = await queue.look()
    for (const { id, attempt } of sight.lost) {
      log.warn({ event: 'job.lost', job: publicId('job', id) }, 'the worker of a job went silent: it is tried again')
      await boss.fail({ id, retryCount: attempt }, 'the worker of this job went silent')
      await queue.hurry(id)
    }
    if (this.#running.size > 0) await this.#beatAll()
    if (sight.ended || sight.lost.length > 0) await ended()
    if (!sight.due && sight.lost.length === 0) return
    while (this.#running.size < slots && !this.#closed) {
      const claim = await boss.claim()
      if (claim === undefined) return
      const work = this.#begin(claim).finally(() => {
        this.#working.delete(work)
        this.wake()
      })
      this.#working.add(work)
    }
  }

  async #begin(claim: Claim): Promise<void> {
    const { boss, killed, log, queue } = this.#parts
    const abort = new AbortController()
    let running: Running | undefined
    try {
      const job = await queue.start(claim.id, this.#name)
      if (job === undefined) return
      running = { claim, abort, job, gone: false }
      this.#running.set(claim.id, running)
      this.#beat ??= setInterval(() => this.#watch(), beatEveryMs)
      const refusal = killed(job.kind, job.tenant)
      if (refusal?.code === 'kill.engaged') return await queue.cancel(claim.id, 'a kill switch stops it')
      if (refusal !== undefined) throw new Error(`it is not known whether it may run: ${refusal.reason}`)
      const result = await this.#work(running)
      if (!running.gone) await boss.complete(claim, result)
    } catch (error) {
      if (running?.gone !== true) await this.#failed(claim, error)
      else log.info({ event: 'job.given_up', job: publicId('job', claim.id) }, 'a job was given up')
    } finally {
      this.#running.delete(claim.id)
      if (this.#running.size === 0) {
        clearInterval(this.#beat)
        this.#beat = undefined
      }
    }
  }

  async #work({ claim, abort, job }: Running): Promise<object> {
    const { handlerOf, queue } = this.#parts
    const found = handlerOf(job)
    if (found === undefined) throw new Error(`this instance knows no kind ${job.kind}: see jobs in its settings`)
    const attempt = claim.retryCount + 1
    const late = setTimeout(
      () => abort.abort(new Error(`it took longer than ${claim.expireInSeconds} s`)),
      claim.expireInSeconds * 1000,
    )
    const aborted = new Promise<never>((_, reject) => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the reason is an Error: every abort here has one
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason))
    })
    // Nobody waits for it where the work ends first.
    aborted.catch(() => undefined)
    const run = found.handler({
      id: publicId('job', claim.id),
      kind: job.kind,
      attempt,
      trigger: job.trigger,
      tenant: job.tenant,
      data: job.dataJson === '' ? {} : (JSON.parse(job.dataJson) as Record<string, unknown>),
      signal: abort.signal,
      progress: (so) => queue.progress(claim.id, attempt, JSON.stringify(boundedResult(so))),
    })
    try {
      return boundedResult(await Promise.race([run, aborted]))
    } finally {
      clearTimeout(late)
      // Whether it obeys or not: its rejection after the end is nobody's.
      run.catch(() => undefined)
    }
  }

  async #failed(claim: Claim, error: unknown): Promise<void> {
    const { boss, log, queue } = this.#parts
    const message = maskText((error instanceof Error ? error.message : String(error)).slice(0, messageMax))
    log.warn({ event: 'job.failed', job: publicId('job', claim.id), err: error }, 'a try of a job failed')
    try {
      await boss.fail(claim, message)
      if (this.#closed) await queue.hurry(claim.id)
    } catch (cause) {
      // Its heartbeats have ended: others will find it.
      log.warn({ event: 'jobs.unsettled', err: cause }, 'that a job failed could not be written')
    }
  }

  #watch(): void {
    if (performance.now() - this.#parts.queue.answeredAt > leaseMs)
      for (const running of this.#running.values()) this.#giveUp(running, 'the store does not answer')
    if (this.#beating) return
    this.#beating = true
    void this.#beatAll().finally(() => {
      this.#beating = false
    })
  }

  async #beatAll(): Promise<void> {
    const { boss, killed, queue } = this.#parts
    await Promise.all(
      [...this.#running.values()].map(async (running) => {
        const { claim, job } = running
        try {
          if (killed(job.kind, job.tenant)?.code === 'kill.engaged')
            await queue.cancel(claim.id, 'a kill switch stops it')
          if (!(await boss.beat(claim))) this.#giveUp(running, 'it was canceled, or is not ours any more')
        } catch {
          // Says nothing of the claim; what lasts for too long ends it in #watch.
        }
      }),
    )
  }

  #giveUp(running: Running, why: string): void {
    if (!this.#running.has(running.claim.id)) return
    running.gone = true
    running.abort.abort(new Error(why))
  }
}
