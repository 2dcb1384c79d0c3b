import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  CostService,
  DriftSchema,
  ListDriftResponseSchema,
  ListPricesResponseSchema,
  PriceSchema,
  type Drift,
  type Price,
} from '@portcullis/contract'
import { isRefusal } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import { fit, listPage, readPage, tokenAt } from '../paging.ts'
import type { CorrectionRow, DriftFilter, ListedPrice } from '../ports.ts'
import { sizes, tokenCounts } from '../runs/rules.ts'
import { exportCharges } from './charges.ts'
import { importUsage } from './import.ts'

const dayMs = 86_400_000
// From 10^-18 USD to nano-USD.
const nanoDivisor = 10n ** 9n

const listPrices = read(
  CostService.method.listPrices,
  async (message, { clock, prices }) => {
    const fields = new Fields()
    const filter = {
      provider: fields.text('provider', message.provider, sizes.name).toLowerCase(),
      model: fields.text('model', message.model, sizes.name).toLowerCase(),
      version: prices.version,
    }
    if (fields.refusal !== undefined) return fields.refusal
    const page = readPage('prices', filter, message.pageSize, message.pageToken)
    if (isRefusal(page)) return page
    const found = prices
      .list(clock.now())
      .filter(({ provider }) => filter.provider === '' || provider.toLowerCase() === filter.provider)
      .filter(({ model }) => model.toLowerCase().startsWith(filter.model))
      .map((price, index) => ({ price, index }))
    // All of them are in memory; the token is how many came before.
    const begin = Number(page.before ?? 0)
    const rows = found.slice(begin, begin + page.size)
    const more = begin + rows.length < found.length ? String(begin + rows.length) : undefined
    const { items, next } = fit(
      { rows, next: more },
      ({ index }) => String(index + 1),
      ({ price }) => priceMessage(price, prices.version),
    )
    return create(ListPricesResponseSchema, {
      prices: [...items],
      nextPageToken: tokenAt('prices', filter, next),
      version: prices.version,
    })
  },
  ({ pageSize, provider, model }) => ({ model, pageSize, provider }),
)

function priceMessage({ provider, model, prices, tiered }: ListedPrice, version: string): Price {
  const nano = (price: bigint | undefined): bigint => (price === undefined ? -1n : price / nanoDivisor)
  return create(PriceSchema, {
    provider,
    model,
    inputPerMillion: nano(prices.input),
    cachedReadPerMillion: nano(prices.cachedRead),
    cacheWritePerMillion: nano(prices.cacheWrite),
    outputPerMillion: nano(prices.output),
    reasoningPerMillion: nano(prices.reasoning),
    request: nano(prices.request),
    version,
    tiered,
  })
}

const listDrift = read(
  CostService.method.listDrift,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const provider = fields.text('provider', message.provider, sizes.name).toLowerCase()
    const from = dayOf(fields, 'fromDay', message.fromDay)
    const until = dayOf(fields, 'untilDay', message.untilDay)
    if (fields.refusal !== undefined) return fields.refusal
    const filter: DriftFilter = {
      ...(message.alertsOnly ? { alert: 'true' } : {}),
      ...(provider === '' ? {} : { provider }),
      ...(from === undefined ? {} : { fromMs: from }),
      ...(until === undefined ? {} : { untilMs: until + dayMs }),
    }
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage('cost_drift', key, message, (page) => reader.drift(scope, filter, page), driftMessage)
    if (isRefusal(list)) return list
    return create(ListDriftResponseSchema, { drift: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ alertsOnly, fromDay, pageSize, provider, untilDay }) => ({ alertsOnly, fromDay, pageSize, provider, untilDay }),
)

/** The first millisecond of a day; undefined where none is named. */
function dayOf(fields: Fields, name: string, text: string): number | undefined {
  if (text === '') return undefined
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN
  // 2026-02-30 would be read as the second of March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    fields.wrong(name, 'must be a day as YYYY-MM-DD')
    return undefined
  }
  return ms
}

function driftMessage(row: CorrectionRow): Drift {
  const [known, charged] = [BigInt(row.knownNanoUsd), BigInt(row.chargedNanoUsd)]
  return create(DriftSchema, {
    day: row.day,
    provider: maskText(row.provider),
    model: maskText(row.model),
    providerKey: maskText(row.providerKey),
    knownNanoUsd: known,
    chargedNanoUsd: charged,
    driftNanoUsd: charged - known,
    driftMilli: BigInt(row.driftMilli),
    alert: row.alert,
    knownTokens: tokenCounts(row.known),
    chargedTokens: tokenCounts(row.charged),
    importedAt: timestampFromMs(row.importedAtMs),
  })
}

export const costHandlers = [listPrices, importUsage, listDrift, exportCharges]
