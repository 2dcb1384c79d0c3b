import { create } from '@bufbuild/protobuf'
import { CostService, ExportChargesResponseSchema } from '@portcullis/contract'
import { isRefusal, type Refusal } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope } from '../handler.ts'
import { fit, readPage, tokenAt } from '../paging.ts'
import type { ChargeFilter, Listing, Page } from '../ports.ts'
import { correctionCharge, usageCharges, type FocusRow } from './focus.ts'

// Above all ids: where the second list begins.
const atTheEnd = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** Use first, newest hour first; then what providers corrected. One token leads through both. */
export const exportCharges = read(
  CostService.method.exportCharges,
  async ({ from, until, pageSize, pageToken }, { caller, reader }) => {
    const fields = new Fields()
    const filter: ChargeFilter = {
      ...(from === undefined ? {} : { fromMs: fields.moment('from', from) }),
      ...(until === undefined ? {} : { untilMs: fields.moment('until', until) }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const account = { id: caller.tenant.id, name: caller.tenant.name }
    const usage = readPage('charges', key, pageSize, pageToken)
    if (!isRefusal(usage)) {
      const found = await reader.costHours(scope, filter, usage)
      if (isRefusal(found)) return found
      const { text, next } = linesOf(found, (row) => usageCharges(row, account))
      const more = next === undefined ? tokenAt('corrections', key, atTheEnd) : tokenAt('charges', key, next)
      return create(ExportChargesResponseSchema, { jsonLines: text, nextPageToken: more })
    }
    const corrections: Page | Refusal = readPage('corrections', key, pageSize, pageToken)
    if (isRefusal(corrections)) return corrections
    const found = await reader.corrections(scope, filter, corrections)
    if (isRefusal(found)) return found
    const { text, next } = linesOf(found, (row) =>
      row.correctionNanoUsd === '0' ? [] : [correctionCharge(row, account)],
    )
    return create(ExportChargesResponseSchema, { jsonLines: text, nextPageToken: tokenAt('corrections', key, next) })
  },
  ({ pageSize }) => ({ pageSize }),
)

function linesOf<Row extends { readonly id: string }>(
  found: Listing<Row>,
  chargesOf: (row: Row) => readonly FocusRow[],
): { readonly text: string; readonly next: string | undefined } {
  const { items, next } = fit(
    found,
    ({ id }) => id,
    (row) =>
      chargesOf(row)
        .map((charge) => `${JSON.stringify(charge)}\n`)
        .join(''),
  )
  return { text: items.join(''), next }
}
