import type { UsageLine } from '@portcullis/contract'
import { sha256Hex, uuidv7 } from '#core'
import type { TokenColumns } from '../rows.ts'
import type { UsageGroup } from './cost-rows.ts'
import type { CostSettings, PricePort } from './ports.ts'
import { tokenClasses } from './unit-prices.ts'

export type LineFlag =
  | { readonly kind: 'invalid' | 'other_currency' | 'duplicate'; readonly detail: string }
  /** Compared with all lines of its group. */
  | { readonly kind: 'grouped'; readonly line: number; readonly sku: string }

export interface ReadLines {
  /** In the order of the lines. */
  readonly flags: readonly LineFlag[]
  readonly groups: readonly UsageGroup[]
}

const nameMax = 200
// Beyond that it is a mistake; a thousand of them, less what was known and corrected, still fit a column.
const countMax = 4n * 10n ** 15n
const chargedMax = 4n * 10n ** 15n
const earliest = '2020-01-01'

interface Line {
  readonly day: string
  readonly provider: string
  readonly model: string
  readonly providerKey: string
  readonly tokens: TokenColumns
  readonly charged: bigint
  readonly requests: bigint
}

/**
 * Looks at each line by itself and puts together those that are compared as one: the same day, model and key. A line that cannot be
 * compared is flagged and changes nothing (SPEC H12).
 */
export function readLines(
  lines: readonly UsageLine[],
  source: string,
  nowMs: number,
  prices: PricePort,
  { providerKeys }: CostSettings,
): ReadLines {
  const seen = new Set<string>()
  const groups = new Map<string, UsageGroup & { readonly digests: readonly string[] }>()
  const flags = lines.map((given, index): LineFlag => {
    const line = readLine(given, nowMs, prices)
    if ('kind' in line) return line
    const same = sha256Hex(JSON.stringify([source, line], (_, value: unknown) => textOf(value)))
    if (seen.has(same)) return { kind: 'duplicate', detail: 'the same line stands before it' }
    seen.add(same)
    const sku = prices.skuOf(line)
    const own = providerKeys.find(({ provider, key }) => provider === line.provider && key === line.providerKey)
    const key = own === undefined ? '' : own.key
    const name = JSON.stringify([line.day, sku, key])
    const known = groups.get(name)
    if (known === undefined) {
      const elsewhere = providerKeys
        .filter(({ provider }) => provider === line.provider)
        .flatMap(({ agents }) => agents)
      groups.set(name, {
        line: index,
        id: uuidv7(Date.parse(line.day)),
        digest: '',
        digests: [same],
        day: line.day,
        provider: line.provider,
        model: line.model,
        sku,
        providerKey: key,
        agents: own?.agents ?? null,
        others: own === undefined && elsewhere.length > 0 ? elsewhere : null,
        ...amounts(line),
      })
      return { kind: 'grouped', line: index, sku }
    }
    groups.set(name, { ...known, ...added(known, amounts(line)), digests: [...known.digests, same] })
    return { kind: 'grouped', line: known.line, sku }
  })
  return {
    flags,
    groups: [...groups.values()].map(({ digests, ...group }) => ({
      ...group,
      digest: sha256Hex(digests.toSorted().join(' ')),
    })),
  }
}

/** The line as it is compared, or why it is not. */
function readLine(given: UsageLine, nowMs: number, prices: PricePort): Line | LineFlag {
  const { day, model, providerKey, tokens, requests } = given
  const provider = given.provider.toLowerCase()
  const invalid = (detail: string): LineFlag => ({ kind: 'invalid', detail })
  const atMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : NaN
  if (Number.isNaN(atMs) || new Date(atMs).toISOString().slice(0, 10) !== day) return invalid('day must be YYYY-MM-DD')
  if (day < earliest || atMs > nowMs) return invalid('day must be since 2020 and not in the future')
  for (const [name, text] of Object.entries({ provider, model, providerKey })) {
    if (text === '' && name !== 'providerKey') return invalid(`${name} is missing`)
    if (text.length > nameMax || text.includes('\0') || !text.isWellFormed())
      return invalid(`${name} must be well-formed text of at most ${nameMax} characters`)
  }
  const counts = {
    inputTokens: tokens?.input ?? 0n,
    cachedReadTokens: tokens?.cachedRead ?? 0n,
    cacheWriteTokens: tokens?.cacheWrite ?? 0n,
    outputTokens: tokens?.output ?? 0n,
    reasoningTokens: tokens?.reasoning ?? 0n,
  }
  for (const count of [...Object.values(counts), requests]) {
    if (count < 0n || count > countMax) return invalid(`counts must be between 0 and ${countMax}`)
  }
  const columns = Object.fromEntries(
    tokenClasses.map(([, column]) => [column, String(counts[column])]),
  ) as unknown as TokenColumns
  const said = given.chargedNanoUsd
  if (said < -1n || said > chargedMax) return invalid(`the amount must be between 0 and ${chargedMax} nano-USD`)
  if (said >= 0n && given.currency.toUpperCase() !== 'USD') {
    const currency = given.currency === '' ? 'none' : given.currency.slice(0, 8)
    return { kind: 'other_currency', detail: `the currency is ${currency}; only USD is compared` }
  }
  // What says nothing about money is priced as the hub prices, by the sum of a day: no price for long contexts applies.
  const charged = said >= 0n ? said : prices.quoteOf({ provider, model }, columns, atMs, 'sum')?.nanoUsd
  if (charged === undefined) return invalid('it says no amount, and no price of the model is known: see costs.prices')
  if (charged > chargedMax) return invalid('the tokens cost more than can be compared')
  return { day, provider, model, providerKey, tokens: columns, charged, requests }
}

type Amounts = Pick<
  UsageGroup,
  'chargedNanoUsd' | 'input' | 'cachedRead' | 'cacheWrite' | 'output' | 'reasoning' | 'requests'
>

function amounts({ tokens, charged, requests }: Line): Amounts {
  return {
    chargedNanoUsd: String(charged),
    input: tokens.inputTokens,
    cachedRead: tokens.cachedReadTokens,
    cacheWrite: tokens.cacheWriteTokens,
    output: tokens.outputTokens,
    reasoning: tokens.reasoningTokens,
    requests: String(requests),
  }
}

function added(known: Amounts, more: Amounts): Amounts {
  const sum = (name: keyof Amounts): string => String(BigInt(known[name]) + BigInt(more[name]))
  return {
    chargedNanoUsd: sum('chargedNanoUsd'),
    input: sum('input'),
    cachedRead: sum('cachedRead'),
    cacheWrite: sum('cacheWrite'),
    output: sum('output'),
    reasoning: sum('reasoning'),
    requests: sum('requests'),
  }
}

function textOf(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
