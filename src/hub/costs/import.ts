import { create } from '@bufbuild/protobuf'
import {
  CostService,
  ImportedLineSchema,
  ImportUsageResponseSchema,
  LineOutcome,
  LineOutcomeSchema,
  methodOf,
  type ImportedLine,
} from '@portcullis/contract'
import { publicId, refuse, uuidv7, type Caller } from '#core'
import { encodeBody, maskText, type LedgerRecord } from '#ledger'
import { bare, write } from '../handler.ts'
import { effect, type Answer } from '../ports.ts'
import { enumName } from '../runs/rules.ts'
import type { UsageGroup, UsageImported } from './cost-rows.ts'
import { readLines, type LineFlag, type ReadLines } from './import-lines.ts'

const linesMax = 1000
const sources = ['anthropic', 'openai', 'csv']
// One import tells of so many alerts by entries of their own; the drift of all of them is in the list.
const alertsMax = 50

export const importUsage = write(
  CostService.method.importUsage,
  ({ lines, source }, { caller, clock, costs, prices }) => {
    if (lines.length === 0 || lines.length > linesMax) {
      const detail = `lines must be 1 to ${linesMax}, not ${lines.length}`
      return refuse('input.invalid', `${lines.length} lines`, { detail })
    }
    if (!sources.includes(source)) {
      return refuse('input.invalid', 'source', { detail: `source must be one of ${sources.join(', ')}` })
    }
    const nowMs = clock.now()
    const read = readLines(lines, source, nowMs, prices, costs)
    const id = uuidv7(nowMs)
    return effect({
      operation: 'cost.import',
      key: id,
      args: {
        id,
        source,
        lines: read.groups,
        alertMilli: costs.alertMilli,
        alertNanoUsd: String(costs.alertNanoUsd),
      },
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'the import was not written')
          : answered(id, read, row, { caller, nowMs }),
    })
  },
  ({ lines, source }) => ({ lines: lines.length, source }),
)

type Result = UsageImported['result']['lines'][number]

function answered(
  id: string,
  { flags, groups }: ReadLines,
  { result }: UsageImported,
  by: { readonly caller: Caller; readonly nowMs: number },
): Answer {
  const results = new Map(result.lines.map((one) => [one.line, one]))
  const lines = flags.map((flag, index) => lineOf(flag, index, results))
  const correction = result.lines.reduce((sum, { correctionNanoUsd }) => sum + BigInt(correctionNanoUsd), 0n)
  const counts = new Map<string, number>()
  for (const { outcome } of lines) {
    const name = enumName(LineOutcomeSchema, outcome).replace('LINE_OUTCOME_', '').toLowerCase()
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const alerts = groups.filter(({ line }) => {
    const found = results.get(line)
    return found?.alert === true && !found.duplicate
  })
  const entries = alerts.slice(0, alertsMax).flatMap((group) => driftEntry(id, group, results.get(group.line), by))
  return {
    reply: create(ImportUsageResponseSchema, {
      importId: publicId('imp', id),
      lines,
      correctionNanoUsd: correction,
      gaps: result.gaps.map((gap) => maskText(gap)),
    }),
    told: {
      alerts: alerts.length,
      correctionNanoUsd: String(correction),
      gaps: result.gaps.length,
      importId: publicId('imp', id),
      outcomes: Object.fromEntries(counts),
    },
    entries,
  }
}

function lineOf(flag: LineFlag, index: number, results: ReadonlyMap<number, Result>): ImportedLine {
  if (flag.kind !== 'grouped') {
    const outcome = {
      invalid: LineOutcome.INVALID,
      other_currency: LineOutcome.OTHER_CURRENCY,
      duplicate: LineOutcome.DUPLICATE,
    }[flag.kind]
    return create(ImportedLineSchema, { outcome, detail: flag.detail })
  }
  const result = results.get(flag.line)
  if (result === undefined) throw new Error('a line of an import was left without a result')
  const first = flag.line === index
  const correction = BigInt(result.correctionNanoUsd)
  const outcome = result.duplicate
    ? LineOutcome.DUPLICATE
    : result.unknown
      ? LineOutcome.UNKNOWN_USE
      : correction === 0n
        ? LineOutcome.MATCHED
        : LineOutcome.CORRECTED
  // The amount stands at the first line of those that are compared together.
  const detail = first ? maskText(flag.sku) : `${maskText(flag.sku)}: compared together with line ${flag.line + 1}`
  return create(ImportedLineSchema, { outcome, correctionNanoUsd: first ? correction : 0n, detail })
}

/** What an alert hangs on: one entry for each day, model and key whose drift is past the threshold. */
function driftEntry(
  importId: string,
  { day, provider, model, providerKey, chargedNanoUsd }: UsageGroup,
  result: Result | undefined,
  { caller, nowMs }: { readonly caller: Caller; readonly nowMs: number },
): readonly LedgerRecord[] {
  if (result === undefined) return []
  const kind = 'cost.drift'
  const { knownNanoUsd, driftMilli } = result
  const body = encodeBody({
    access: 'system',
    args: {
      chargedNanoUsd,
      day,
      driftMilli,
      driftNanoUsd: String(BigInt(chargedNanoUsd) - BigInt(knownNanoUsd)),
      importId: publicId('imp', importId),
      knownNanoUsd,
      model: maskText(model),
      provider: maskText(provider),
      providerKey: maskText(providerKey),
    },
    at: new Date(nowMs).toISOString(),
    bypass: false,
    caller: { id: caller.id, kind: caller.kind },
    elapsedUs: 0,
    id: publicId('ent', uuidv7(nowMs)),
    kind,
    method: methodOf(CostService.method.importUsage).path,
    outcome: 'allow',
    tenant: caller.tenant.id,
  })
  return [
    {
      log: caller.tenant.name,
      tenantId: bare(caller.tenant.id),
      caller: caller.id,
      actor: undefined,
      action: kind,
      outcome: 'allow',
      code: undefined,
      requestId: undefined,
      body,
    },
  ]
}
