import { usage } from '../errors.ts'
import { csvRows } from './csv-rows.ts'
import { amountOf, BadValue, countOf, dayOf, fail, linesMax, textOf } from './lines.ts'
import type { BadLine, UsageFile, UsageLine } from './lines.ts'

const required = ['day', 'provider', 'model'] as const
const columns = [
  ...required,
  'key',
  'input_tokens',
  'cached_read_tokens',
  'cache_write_tokens',
  'output_tokens',
  'reasoning_tokens',
  'requests',
  'charged',
  'currency',
] as const
type Column = (typeof columns)[number]

const todo = `The first line names the columns: ${columns.join(',')}. Only ${required.join(', ')} must be there.`

/** A table with a head; each class of tokens apart, `charged` in units of `currency`. Lines stay as they are: none is summed up here. */
export function readUsageCsv(text: string): UsageFile {
  const rows = csvRows(text)
  const head = rows.next()
  if (head.done === true) throw usage('The file is empty.', todo)
  const names = head.value.cells.map((name) => name.trim().toLowerCase())
  const unknown = names.find((name) => !(columns as readonly string[]).includes(name))
  if (unknown !== undefined) throw usage(`There is no column "${unknown}".`, todo)
  const missing = required.find((name) => !names.includes(name))
  if (missing !== undefined) throw usage(`The column ${missing} is missing.`, todo)
  if (new Set(names).size < names.length) throw usage('A column is there twice.', todo)
  const lines: UsageLine[] = []
  const bad: BadLine[] = []
  for (const { line, cells } of rows) {
    const at = `line ${line}`
    if (lines.length + bad.length >= linesMax) {
      throw usage(`The file has more than ${linesMax} lines.`, 'Import it in parts, a month at a time.')
    }
    try {
      if (cells.length !== names.length) fail(`${cells.length} cells under ${names.length} columns`)
      lines.push(lineOf(at, new Map(names.map((name, index) => [name as Column, cells[index] ?? '']))))
    } catch (error) {
      if (!(error instanceof BadValue)) throw error
      bad.push({ at, why: error.message })
    }
  }
  return { lines, bad, incomplete: false }
}

function lineOf(at: string, cells: ReadonlyMap<Column, string>): UsageLine {
  const text = (name: Column): string => textOf(name, cells.get(name))
  const count = (name: Column): bigint => countOf(name, text(name))
  const charged = text('charged')
  return {
    at,
    day: dayOf('day', text('day')),
    provider: text('provider') || fail('provider is missing'),
    model: text('model') || fail('model is missing'),
    providerKey: text('key'),
    tokens: {
      input: count('input_tokens'),
      cachedRead: count('cached_read_tokens'),
      cacheWrite: count('cache_write_tokens'),
      output: count('output_tokens'),
      reasoning: count('reasoning_tokens'),
    },
    chargedNanoUsd: charged === '' ? undefined : amountOf('charged', charged),
    currency: text('currency') || (charged === '' ? '' : 'USD'),
    requests: count('requests'),
  }
}
