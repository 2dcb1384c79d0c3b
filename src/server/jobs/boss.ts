import type { Logger } from 'pino'
import type { PgBoss } from 'pg-boss'
import type { JobQueue } from '#store'

const queueName = 'portcullis_jobs'
const queueCacheSeconds = 3600
// One at a time of each kind, but where its overlap allows more.
const groupConcurrency = { default: 1, tiers: { allow: 1000 } }

/** An attempt that is ours for as long as its heartbeats go on. */
export interface Claim {
  /** Bare UUID. */
  readonly id: string
  /** Of earlier tries. */
  readonly retryCount: number
  readonly expireInSeconds: number
}

/**
 * pg-boss over the connection of the jobs: hands out attempts, settles them, tries again with backoff, keeps what failed for good in
 * its dead letter queue. What is polled and when is decided by the worker; nothing here has a timer that asks the database.
 */
export class Boss {
  readonly #boss: PgBoss

  private constructor(boss: PgBoss) {
    this.#boss = boss
  }

  static async open(queue: JobQueue, log: Logger): Promise<Boss> {
    const { PgBoss } = await import('pg-boss')
    const boss = new PgBoss({
      db: { executeSql: (text, values) => queue.query(text, values) },
      schema: 'pgboss',
      migrate: false,
      createSchema: false,
      supervise: false,
      schedule: false,
      reindex: false,
      monitorVacuum: false,
      queueCacheIntervalSeconds: queueCacheSeconds,
    })
    boss.on('error', (error) => log.warn({ event: 'jobs.queue', err: error }, 'the queue of the jobs had an error'))
    boss.on('warning', ({ message }) => log.debug({ event: 'jobs.queue', warning: message }, 'the queue warns'))
    await boss.start()
    return new Boss(boss)
  }

  /** The next attempt that is due, for this process. */
  async claim(): Promise<Claim | undefined> {
    const [job] = await this.#boss.fetch(queueName, { batchSize: 1, includeMetadata: true, groupConcurrency })
    return job
  }

  async complete(claim: Claim, result: object): Promise<void> {
    await this.#boss.complete(queueName, attemptOf(claim), result)
  }

  /** It is tried again, or has failed for good. */
  async fail(claim: Pick<Claim, 'id' | 'retryCount'>, message: string): Promise<void> {
    await this.#boss.fail(queueName, attemptOf(claim), { message })
  }

  /** Whether the attempt is still ours. */
  async beat(claim: Claim): Promise<boolean> {
    const reply = await this.#boss.touch(queueName, attemptOf(claim))
    return 'affected' in reply && Number(reply.affected) > 0
  }

  /** Removes what the queue does not need any more. */
  async maintain(): Promise<void> {
    await this.#boss.supervise(undefined, { reindex: false })
  }

  async close(): Promise<void> {
    await this.#boss.stop({ graceful: false })
  }
}

function attemptOf({ id, retryCount }: Pick<Claim, 'id' | 'retryCount'>) {
  return { id, retryCount }
}
