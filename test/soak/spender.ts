import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { call, type Answer } from '../harness/instance.ts'

const models = ['small', 'large', 'huge']
/** What says to come back; everything else is an answer. */
const passing = new Set([
  'store.unavailable',
  'store.busy',
  'outcome.unknown',
  'idempotency.in_flight',
  'server.draining',
  'kill.stale',
  'audit.unavailable',
])

/**
 * Workers that reserve and then settle, settle twice, release, extend or forget, at random. A call without an answer is made again under
 * its key until there is one.
 */
export class Spender {
  readonly #key: string
  readonly #url: () => string
  readonly #workers: Promise<unknown>
  #failed: unknown
  #over = false
  #calls = 0
  /** Reservations that were admitted, with what was settled of them; undefined where nothing was. */
  readonly admitted = new Map<string, number | undefined>()
  denied = 0

  constructor(key: string, url: () => string, workers: number) {
    this.#key = key
    this.#url = url
    this.#workers = Promise.all(Array.from({ length: workers }, () => this.#work()))
    this.#workers.catch((error: unknown) => (this.#failed = error))
  }

  get asked(): number {
    return this.admitted.size + this.denied
  }

  /** Waits until so many reservations have been asked for. */
  async until(asked: number, deadlineMs: number): Promise<void> {
    const deadline = Date.now() + deadlineMs
    while (this.asked < asked) {
      if (this.#failed !== undefined) throw this.#failed
      if (Date.now() > deadline) expect.fail(`${this.asked} of ${asked} reservations were answered`)
      await delay(5)
    }
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#workers
  }

  async #work(): Promise<void> {
    while (!this.#over) {
      const amount = randomInt(1, 100_000)
      const held = await this.#call('Reserve', {
        model: models[randomInt(models.length)],
        inputTokens: String(randomInt(100)),
        maxOutputTokens: '10',
        amountNanoUsd: String(amount),
        ttlSeconds: randomInt(10) === 0 ? 1 : 600,
      })
      if (held.status === 402) this.denied += 1
      else if (held.status !== 200) throw new Error(`a reserve was answered with ${JSON.stringify(held.body)}`)
      else await this.#end(held.body.reservationId, amount)
    }
  }

  async #end(reservationId: string, amount: number): Promise<void> {
    this.admitted.set(reservationId, undefined)
    const choice = randomInt(20)
    // Nobody says what becomes of it.
    if (choice === 0) return
    if (choice === 1) {
      await this.#call('Release', { reservationId })
      return
    }
    if (choice === 2) await this.#call('Extend', { reservationId, ttlSeconds: 600, seen: { input: '1' } })
    const exact = randomInt(1, amount + 1)
    const settle = { reservationId, amountNanoUsd: String(exact), tokens: { input: '1' } }
    const settled = await this.#call('Settle', settle)
    if (settled.status === 200) this.admitted.set(reservationId, exact)
    if (choice === 3) expect((await this.#call('Settle', settle)).body.settledNanoUsd).toBe(String(exact))
  }

  async #call(method: string, body: object): Promise<Answer> {
    this.#calls += 1
    const headers = { 'idempotency-key': `spend-${this.#calls}` }
    for (let attempt = 1; attempt <= 2000; attempt += 1) {
      try {
        const answer = await call(this.#url(), `BudgetService/${method}`, body, { key: this.#key, headers })
        if (answer.status === 200 || !passing.has(answer.body.code)) return answer
      } catch (error) {
        // No answer: the connection went away.
        if (!(error instanceof TypeError)) throw error
      }
      await delay(20)
    }
    throw new Error(`${method} is never answered`)
  }
}
