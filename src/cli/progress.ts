import { paint } from './print.ts'
import type { Io } from './io.ts'

export interface Amount {
  readonly done: number
  readonly total: number
}

const barColumns = 30
const everyMs = 100
const plainSteps = 10

/** Shows on stderr how far a long command is: a bar for a person, otherwise a plain line for each tenth. */
export class ProgressBar {
  readonly #io: Io
  readonly #startedAtMs: number
  #shownAtMs = -Infinity
  #step = 0
  #open = false

  constructor(io: Io) {
    this.#io = io
    this.#startedAtMs = io.monotonic()
  }

  /** `note` is what is said behind the bar. */
  show({ done, total }: Amount, note: string): void {
    const share = total === 0 ? 1 : Math.min(1, done / total)
    if (this.#io.err.interactive) this.#draw(share, note)
    else this.#line(share, note)
  }

  /** Takes the bar away; what is written next begins on a line of its own. */
  clear(): void {
    if (this.#open) this.#io.err.write(clearLine)
    this.#open = false
  }

  #draw(share: number, note: string): void {
    const nowMs = this.#io.monotonic()
    if (nowMs - this.#shownAtMs < everyMs && share < 1) return
    this.#shownAtMs = nowMs
    this.#open = true
    const { green, dim } = paint(this.#io.err.colours)
    const filled = Math.round(share * barColumns)
    const bar = green('█'.repeat(filled)) + dim('░'.repeat(barColumns - filled))
    const percent = `${Math.floor(share * 100)} %`.padStart(5)
    this.#io.err.write(`${clearLine}  ${bar} ${percent}  ${note}  ${dim(this.#elapsed(nowMs))}`)
  }

  #line(share: number, note: string): void {
    const step = Math.floor(share * plainSteps)
    if (step <= this.#step) return
    this.#step = step
    this.#io.err.write(`${step * (100 / plainSteps)} %, ${note}, ${this.#elapsed(this.#io.monotonic())}\n`)
  }

  #elapsed(nowMs: number): string {
    return `${Math.floor((nowMs - this.#startedAtMs) / 1000)} s`
  }
}

// Back to the first column, and the line empty from there.
const clearLine = '\r\u001B[K'
