import type { Client } from 'pg'
import type { Clock } from '#core'
import type { LeaderboardRow } from '#hub'
import { leaderboardText } from './analytics.ts'
import { KeptAnswer } from './kept-answer.ts'

const keptMs = 5000

/** Leaderboards by their floor and their days. Anybody may ask, so that the database is asked every few seconds at most. */
export class Leaderboards {
  readonly #query: <Result>(work: (client: Client) => Promise<Result>) => Promise<Result>
  readonly #clock: Clock
  readonly #kept = new Map<string, KeptAnswer<readonly LeaderboardRow[]>>()

  constructor(query: <Result>(work: (client: Client) => Promise<Result>) => Promise<Result>, clock: Clock) {
    this.#query = query
    this.#clock = clock
  }

  get(minimumSamples: number, days: number): Promise<readonly LeaderboardRow[]> {
    const asked = `${minimumSamples} ${days}`
    const known = this.#kept.get(asked)
    if (known !== undefined) return known.get()
    const query = { name: 'read.leaderboard', text: leaderboardText, values: [minimumSamples, days] }
    const ask = async (): Promise<readonly LeaderboardRow[]> =>
      (await this.#query((client) => client.query<LeaderboardRow>(query))).rows
    const kept = new KeptAnswer(ask, keptMs, () => this.#clock.monotonic())
    this.#kept.set(asked, kept)
    return kept.get()
  }
}
