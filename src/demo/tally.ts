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
  readonly tokens = { input: 0, cachedRead: 0, output: 0 }
  costNanoUsd = 0

  /** One answered call; without a code it was allowed. */
  count(code: string | undefined, sentAgain: number): void {
    this.calls += 1
    this.sentAgain += sentAgain
    if (code === undefined) this.allowed += 1
    else this.refused.set(code, (this.refused.get(code) ?? 0) + 1)
  }

  get runCount(): number {
    return this.runs.completed + this.runs.failed + this.runs.canceled
  }

  get refusedCount(): number {
    return this.calls - this.allowed
  }
}
