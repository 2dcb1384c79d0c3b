import { Connection, type ConnectionSettings } from '#store'

/** How full budgets are, over all tenants: no labels that grow with them. */
export interface BudgetUse {
  /** By unit: the fullest hard budget. */
  readonly usedRatio: ReadonlyMap<string, number>
  readonly reservedNanoUsd: number
}

const keptMs = 5000
// A scrape does not wait for a database that is away.
const waitMs = 1000
const unitNames = ['', 'nano_usd', 'tokens', 'requests']

/** Looks at most every five seconds, and only while somebody scrapes. */
export class BudgetGauges {
  readonly #connection: Connection
  readonly #now: () => number
  #kept: { readonly atMs: number; readonly use: BudgetUse } | undefined
  #looking: Promise<BudgetUse | undefined> | undefined

  constructor(settings: ConnectionSettings, now: () => number) {
    this.#connection = new Connection(settings, 'budget gauges')
    this.#now = now
  }

  /** Undefined where the database does not say, or not in time. */
  async look(): Promise<BudgetUse | undefined> {
    if (this.#kept !== undefined && this.#now() - this.#kept.atMs < keptMs) return this.#kept.use
    this.#looking ??= this.#ask()
      .catch(() => undefined)
      .finally(() => {
        this.#looking = undefined
      })
    let late: NodeJS.Timeout | undefined
    const nothing = new Promise<undefined>((resolve) => {
      late = setTimeout(() => resolve(undefined), waitMs)
    })
    return Promise.race([this.#looking, nothing]).finally(() => clearTimeout(late))
  }

  async close(): Promise<void> {
    await this.#looking
    await this.#connection.close()
  }

  async #ask(): Promise<BudgetUse> {
    const client = await this.#connection.client()
    const { rows } = await client.query<{ unit: number; used_ratio: number; reserved_nano_usd: string | null }>({
      name: 'budgets.gauges',
      text: 'select unit, used_ratio, reserved_nano_usd from portcullis.budget_gauges()',
    })
    const use = {
      usedRatio: new Map(rows.map(({ unit, used_ratio: used }) => [unitNames[unit] ?? String(unit), used])),
      reservedNanoUsd: Number(rows.find(({ reserved_nano_usd: held }) => held !== null)?.reserved_nano_usd ?? 0),
    }
    this.#kept = { atMs: this.#now(), use }
    return use
  }
}
