import * as z from 'zod'
import type { Client } from './client.ts'
import type { UsageFile, UsageLine } from './usage-files/lines.ts'

const partLines = 1000
// Below what a server takes in one body by default.
const partBytesMax = 900_000

const replyShape = z.object({
  importId: z.string().default(''),
  lines: z
    .array(
      z.object({
        outcome: z.string().default(''),
        correctionNanoUsd: z.string().default('0'),
        detail: z.string().default(''),
      }),
    )
    .default([]),
  correctionNanoUsd: z.string().default('0'),
  gaps: z.array(z.string()).default([]),
})

/** What became of a line that was not simply compared. */
export interface Flagged {
  readonly at: string
  readonly outcome: string
  readonly detail: string
}

export interface Imported {
  readonly importIds: readonly string[]
  readonly lines: number
  /** How many of each: matched, corrected, duplicate, unknown_use, other_currency, invalid. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly correctionNanoUsd: string
  readonly flagged: readonly Flagged[]
  /** Days and models that the hub knows of and no line names. */
  readonly gaps: readonly string[]
  readonly incomplete: boolean
}

/** Sends the lines in parts of a thousand. What is compared as one is not torn apart; lines that could not be read are told with the rest. */
export async function importUsage(file: UsageFile, source: string, client: Client): Promise<Imported> {
  const outcomes: Record<string, number> = {}
  const flagged: Flagged[] = []
  const importIds: string[] = []
  const gaps = new Set<string>()
  const named = new Set<string>()
  let correction = 0n
  const count = (outcome: string): void => void (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1)
  const sendable = file.lines.filter((line) => !isAbsurd(line))
  const absurd = file.lines.filter(isAbsurd).map(({ at }) => ({ at, why: 'it has more than anybody uses or pays' }))
  for (const { at, why } of [...file.bad, ...absurd]) {
    count('invalid')
    flagged.push({ at, outcome: 'invalid', detail: why })
  }
  for (const part of parts(sendable)) {
    const message = { source, lines: part.map(lineMessage) }
    const reply = await client.call('CostService/ImportUsage', message, replyShape)
    importIds.push(reply.importId)
    correction += BigInt(reply.correctionNanoUsd)
    for (const gap of reply.gaps) gaps.add(gap)
    for (const [index, line] of part.entries()) {
      const { outcome = '', detail = '' } = reply.lines[index] ?? {}
      const name = outcome.replace('LINE_OUTCOME_', '').toLowerCase()
      count(name)
      named.add(`${line.day} ${detail.split(': ')[0] ?? ''}`)
      if (!['matched', 'corrected', 'duplicate'].includes(name)) flagged.push({ at: line.at, outcome: name, detail })
    }
  }
  return {
    importIds,
    lines: file.lines.length + file.bad.length,
    outcomes,
    correctionNanoUsd: String(correction),
    flagged,
    // A part does not know what the next one names.
    gaps: [...gaps].filter((gap) => !named.has(gap)).toSorted(),
    incomplete: file.incomplete,
  }
}

// What the server takes of one line; far more would not even fit a message.
const amountMax = 4n * 10n ** 15n

function isAbsurd({ chargedNanoUsd = 0n, requests, tokens }: UsageLine): boolean {
  return [chargedNanoUsd, requests, ...Object.values(tokens)].some((amount) => amount > amountMax)
}

/** In the order of days and models, cut where a model ends as long as that is less than a part. */
function* parts(lines: readonly UsageLine[]): Generator<readonly UsageLine[]> {
  const keyed = lines.map((line) => ({
    line,
    name: JSON.stringify([line.day, line.provider, line.model]),
    bytes: Buffer.byteLength(JSON.stringify(lineMessage(line))),
  }))
  const sorted = keyed.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  let part: UsageLine[] = []
  let partBytes = 0
  for (let from = 0; from < sorted.length;) {
    let to = from
    let bytes = 0
    while (to < sorted.length && to - from < partLines && sorted[to]?.name === sorted[from]?.name) {
      const more = sorted[to]?.bytes ?? 0
      if (to > from && bytes + more > partBytesMax) break
      bytes += more
      to += 1
    }
    if (part.length > 0 && (part.length + to - from > partLines || partBytes + bytes > partBytesMax)) {
      yield part
      part = []
      partBytes = 0
    }
    part.push(...sorted.slice(from, to).map(({ line }) => line))
    partBytes += bytes
    from = to
  }
  if (part.length > 0) yield part
}

function lineMessage(line: UsageLine): object {
  const { day, provider, model, providerKey, currency, tokens, chargedNanoUsd, requests } = line
  return {
    day,
    provider,
    model,
    providerKey,
    currency,
    tokens: Object.fromEntries(Object.entries(tokens).map(([name, value]) => [name, String(value)])),
    chargedNanoUsd: String(chargedNanoUsd ?? -1n),
    requests: String(requests),
  }
}
