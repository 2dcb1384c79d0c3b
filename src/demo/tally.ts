import type { DayOfUse } from './provider-export.ts'

/** What the demo did, counted where it was answered. */
export class Tally {
  calls = 0
  allowed = 0
  /** Calls that were sent once more, because the server was away. */
  sentAgain = 0
  readonly refused = new Map<string, number>()
  readonly runs = { completed: 0, failed: 0, canceled: 0 }
  attempts = 0
  failedAttempts = 0
  events = 0
  tasks = 0
  openTasks = 0
  notes = 0
  benchmarks = 0
  jobs = 0
  /** Settled of the budget of the demo. */
  spentNanoUsd = 0n
  readonly tokens = { input: 0, cachedRead: 0, output: 0 }
  costNanoUsd = 0
  /** By day and model: what a provider would put on its bill. */
  readonly use = new Map<string, DayOfUse>()

  /** One answered call; without a code it was allowed. */
  count(code: string | undefined, sentAgain: number): void {
    this.calls += 1
    this.sentAgain += sentAgain
    if (code === undefined) this.allowed += 1
    else this.refused.set(code, (this.refused.get(code) ?? 0) + 1)
  }

  addUse(more: DayOfUse): void {
    const name = `${more.day} ${more.provider} ${more.model}`
    const known = this.use.get(name)
    if (known === undefined) this.use.set(name, more)
    else
      this.use.set(name, {
        ...known,
        input: known.input + more.input,
        cachedRead: known.cachedRead + more.cachedRead,
        cacheWrite: known.cacheWrite + more.cacheWrite,
        output: known.output + more.output,
        costNanoUsd: known.costNanoUsd + more.costNanoUsd,
      })
  }

  get runCount(): number {
    return this.runs.completed + this.runs.failed + this.runs.canceled
  }

  get refusedCount(): number {
    return this.calls - this.allowed
  }
}
