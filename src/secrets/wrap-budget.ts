import { KeysUnavailable } from './errors.ts'

interface BudgetSettings {
  /** Adds to what is counted for the key everywhere, and answers the sum. */
  readonly reserve: (keyId: string, count: number) => Promise<number>
  /** Told once for each key that has used half of what it may. */
  readonly alarm: (keyId: string, wraps: number) => void
  /** Counted ahead in steps of this. */
  readonly step?: number
}

// NIST SP 800-38D, section 8.3: one key, random nonces of 96 bits.
const wrapsMax = 2 ** 32
const alarmAt = 2 ** 31

/** Counts how often a master key wraps with random nonces, over all replicas and restarts, and ends it before it is unsafe. */
export class WrapBudget {
  readonly #settings: BudgetSettings
  readonly #left = new Map<string, number>()
  readonly #told = new Set<string>()

  constructor(settings: BudgetSettings) {
    this.#settings = settings
  }

  /** One wrap. @throws KeysUnavailable where the key has wrapped too often */
  async spend(keyId: string): Promise<void> {
    const left = this.#left.get(keyId) ?? 0
    if (left > 0) {
      this.#left.set(keyId, left - 1)
      return
    }
    const step = this.#settings.step ?? 256
    const sum = await this.#settings.reserve(keyId, step)
    if (sum > wrapsMax)
      throw new KeysUnavailable(`the master key ${keyId} has wrapped 2^32 times: run \`portcullis secrets rotate\``)
    if (sum >= alarmAt && !this.#told.has(keyId)) {
      this.#told.add(keyId)
      this.#settings.alarm(keyId, sum)
    }
    this.#left.set(keyId, (this.#left.get(keyId) ?? 0) + step - 1)
  }
}
