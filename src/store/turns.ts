import { refuse, type Clock, type Refusal } from '#core'

interface TurnsSettings {
  /** What one subject may have under way at a time. */
  readonly weightMax: number
  /** How many more of its calls may wait; one more is refused. */
  readonly waitingMax: number
  /** A call that waited longer is refused when its turn comes. */
  readonly waitMs: number
}

export const turnsDefaults = { waitingMax: 64, waitMs: 5000 } as const

interface Turn {
  over(): void
}

interface Line {
  weight: number
  readonly waiting: Waiting[]
}

interface Waiting {
  readonly weight: number
  readonly since: number
  readonly go: (turn: Turn | Refusal) => void
}

/** Lets so much of each subject through at a time, in order, so that none takes what is there for all. */
export class Turns {
  readonly #settings: TurnsSettings
  readonly #clock: Clock
  readonly #lines = new Map<string, Line>()

  constructor(settings: TurnsSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /** Whoever got a turn MUST say when it is over. More than fits at all has its turn alone. */
  take(subject: string, weight: number): Turn | Refusal | Promise<Turn | Refusal> {
    const line = this.#lines.get(subject) ?? { weight: 0, waiting: [] }
    if (line.waiting.length === 0 && this.#fits(line, weight)) return this.#begin(subject, line, weight)
    if (line.waiting.length >= this.#settings.waitingMax) return busy(`${line.waiting.length} lists of the tenant wait`)
    return new Promise((go) => line.waiting.push({ weight, since: this.#clock.monotonic(), go }))
  }

  #fits(line: Line, weight: number): boolean {
    return line.weight === 0 || line.weight + weight <= this.#settings.weightMax
  }

  #begin(subject: string, line: Line, weight: number): Turn {
    this.#lines.set(subject, line)
    line.weight += weight
    let over = false
    return {
      over: () => {
        if (over) return
        over = true
        line.weight -= weight
        this.#next(subject, line)
      },
    }
  }

  #next(subject: string, line: Line): void {
    for (let first = line.waiting[0]; first !== undefined; first = line.waiting[0]) {
      const late = this.#clock.monotonic() - first.since > this.#settings.waitMs
      if (!late && !this.#fits(line, first.weight)) return
      line.waiting.shift()
      first.go(late ? busy('waited too long for other lists of the tenant') : this.#begin(subject, line, first.weight))
    }
    if (line.weight === 0) this.#lines.delete(subject)
  }
}

function busy(reason: string): Refusal {
  return refuse('store.busy', reason, { retryAfterSeconds: 1 })
}
