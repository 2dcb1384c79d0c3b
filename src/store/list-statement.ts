import type { Listing, Page } from '#hub'
import type { Statement } from './connection.ts'

/** How much a page may hold, in bytes of its text: what is asked of PostgreSQL and kept in memory for one call. */
export const pageBytesMax = 1024 * 1024
/** Rows that a filter without an index looks at for one page; the page may come out short, or empty, and goes on from there. */
export const lookAtMost = 20_000

const recentMs = 2 * 86_400_000

// What a row costs beside its text: ids, numbers and the names of its fields.
const rowBytes = 300

// Any plan that does not read along an index is one for a table that was small when it was made. One plan serves all values: to make
// one for a table of a hundred partitions takes longer than to read a page of it.
export const alongIndexes = [
  'set enable_seqscan = off',
  'set enable_bitmapscan = off',
  'set jit = off',
  'set plan_cache_mode = force_generic_plan',
]

export type Value = string | number

/** What a filter is to its list; `$` stands for its value. */
export type Condition =
  /** An end of the key that the list is sorted by. */
  | { readonly by: 'from' | 'below'; readonly value?: (given: Value) => string }
  /** Leaves a few rows by an index of its own, or stands beside the scan because whoever asks has bounded it. */
  | { readonly by: 'scan'; readonly sql: string }
  /**
   * An index begins with the tenant and this column, and ends with the key. `only`: what its rows have in common, where it is
   * not of all rows. `values`: those that it has. `since`: a key that all its rows are at or above.
   */
  | {
      readonly by: 'index'
      readonly sql: string
      readonly column?: string
      readonly only?: string
      readonly values?: readonly Value[]
      readonly since?: (given: Value) => string
    }
  /** No index serves it. */
  | { readonly by: 'look'; readonly sql: string }

/** What a list is: its table and columns, what bounds it, and its filters, those that leave the fewest rows first. */
export interface List {
  readonly name: string
  /** The table with its alias. */
  readonly from: string
  readonly alias: string
  readonly columns: string
  /** Always true of its rows. */
  readonly where: string
  /** Columns whose size callers choose. */
  readonly texts: readonly string[]
  /** Sorted by it, newest first; `ends` are below and above all of them. */
  readonly key: { readonly column: string; readonly ends: readonly [string, string] }
  readonly filters: Readonly<Record<string, Condition>>
  /**
   * Partitioned by its key: a bound of the key alone says which partitions a page can be in. It must not have its rows found by the
   * key alone and then sorted: these lists are read with `enable_sort` off.
   */
  readonly partitioned?: boolean
}

/** What the statement says of a row beside its columns. */
interface Marks {
  /** Bytes of this row and all before it. */
  readonly bytesTo: number
  /** False for a row that is there only to say how far was looked. */
  readonly listed: boolean | null
  /** The last that may be looked at. */
  readonly last: boolean
}

export type Marked<Row> = Row & Marks

/**
 * One page of a list, newest first, as a statement that reads a bounded part of its table (SPEC C4). One filter and the key
 * choose an index, whose rows come in order: the order names the column of the filter, so that no other index has it. Filters
 * that are left look at so many of these rows and no more. The page ends where it is full, by rows or by bytes; the size of stored
 * text is known without reading it. `since`: a key below which it is not to look.
 */
export function listStatement(list: List, filter: object, page: Page, since?: string): Statement {
  const { alias, columns, from, name, texts } = list
  const { driver, beside, left, shape } = sorted(list, filter)
  const values: Value[] = []
  const put = (value: Value): string => `$${values.push(value)}`
  const say = ({ sql, value }: Given): string => sql.replace('$', put(value))
  const key = `${alias}.${list.key.column}`
  const [lower, most] = ends(list, filter, page)
  const least = since !== undefined && isAfter(since, lower) ? since : lower
  const pinned = driver?.column
  const inOrder = `order by ${pinned === undefined ? '' : `${pinned} desc, `}${key} desc`
  const near = [list.where, ...beside.map(say)]
  if (driver?.only !== undefined) near.push(driver.only)
  if (pinned === undefined) near.push(`${key} >= ${put(least)}`, `${key} < ${put(most)}`)
  else {
    const value = put(driver?.value ?? '')
    const [lowest, below] = [put(least), put(most)]
    near.push(`(${pinned}, ${key}) >= (${value}, ${lowest})`, `(${pinned}, ${key}) < (${value}, ${below})`)
    if (list.partitioned === true) near.push(`${key} >= ${lowest}`, `${key} < ${below}`)
  }
  const scan = `select ${alias}.* from ${from} where ${near.join(' and ')} ${inOrder}`
  const passes = left.map(say).join(' and ')
  const looked =
    passes === ''
      ? `select ${alias}.*, true as listed, false as last from (${scan}) ${alias}`
      : `select ${alias}.*, (${passes}) as listed, ${alias}.nth = ${lookAtMost} as last
           from (select ${alias}.*, row_number() over (${inOrder}) as nth from (${scan} limit ${lookAtMost}) ${alias}) ${alias}
          where (${passes}) or ${alias}.nth = ${lookAtMost}`
  const size = [rowBytes, ...texts.map((text) => `octet_length(${text})`)].join(' + ')
  return {
    name: `read.${name}.${shape}`,
    text: `select ${columns}, ${alias}."bytesTo"::int as "bytesTo", ${alias}.listed, ${alias}.last
      from (select ${alias}.*, ${size} as bytes, sum(${size}) over (${inOrder} rows unbounded preceding) as "bytesTo"
              from (${looked} ${inOrder} limit ${put(page.size + 1)}) ${alias}) ${alias}
     where ${alias}."bytesTo" - ${alias}.bytes < ${pageBytesMax} ${inOrder}`,
    values,
  }
}

/** The rows of the page, and where the next one begins. */
export function pageOf<Row extends object>(
  marked: readonly Marked<Row>[],
  page: Page,
  keyOf: (row: Row) => string,
): Listing<Row> {
  const rows: Row[] = []
  for (const { bytesTo, listed, last, ...columns } of marked) {
    const row = columns as unknown as Row
    const previous = rows.at(-1)
    // One row at the least, whatever its size.
    if (previous !== undefined && (rows.length === page.size || bytesTo > pageBytesMax))
      return { rows, next: keyOf(previous) }
    if (listed === true) rows.push(row)
    if (last) return { rows, next: keyOf(row) }
  }
  const end = rows.at(-1)
  // Where one row alone is too large, those after it were left out by the statement.
  const cut = end !== undefined && (marked.at(-1)?.bytesTo ?? 0) >= pageBytesMax
  return { rows, next: cut ? keyOf(end) : undefined }
}

/**
 * Where the newest partitions begin that a page can be in: most pages are in these alone, and a hundred are not opened for them. A page
 * that they do not fill is asked for again without. Undefined where there is nothing to leave out.
 */
export function recentSince(list: List, filter: object, page: Page, nowMs: number): string | undefined {
  if (list.partitioned !== true) return undefined
  const [least, most] = ends(list, filter, page)
  const since = uuidAt(Math.min(timeOf(most), nowMs) - recentMs)
  return isAfter(since, least) ? since : undefined
}

/** The key of that time, below all others of its millisecond: ids are sorted by time. */
export function uuidAt(timeMs: Value): string {
  const time = Math.max(0, Math.floor(Number(timeMs)))
    .toString(16)
    .padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7000-8000-000000000000`
}

/** The milliseconds that an id begins with. */
export function timeOf(id: Value): number {
  return Number.parseInt(String(id).replaceAll('-', '').slice(0, 12), 16)
}

/** True where the statement may have to look at rows that it does not list. */
export function looks(list: List, filter: object): boolean {
  return sorted(list, filter).left.length > 0
}

interface Given {
  readonly sql: string
  readonly value: Value
  readonly column?: string | undefined
  readonly only?: string | undefined
}

interface Sorted {
  /** The filter that chooses the index. */
  readonly driver: Given | undefined
  readonly beside: readonly Given[]
  readonly left: readonly Given[]
  /** Tells statements apart; short, since PostgreSQL looks at the first 63 characters of their names. */
  readonly shape: string
}

function sorted({ filters }: List, filter: object): Sorted {
  const asked = filter as Readonly<Record<string, Value | undefined>>
  const [beside, left]: [Given[], Given[]] = [[], []]
  let driver: Given | undefined
  let shape = ''
  for (const [name, condition] of Object.entries(filters)) {
    if (!('sql' in condition)) continue
    const value = asked[name]
    const drives =
      value !== undefined &&
      driver === undefined &&
      condition.by === 'index' &&
      condition.values?.includes(value) !== false
    shape += value === undefined ? '0' : drives ? '2' : '1'
    if (value === undefined) continue
    if (drives) driver = { ...condition, value }
    else if (condition.by === 'scan') beside.push({ sql: condition.sql, value })
    else left.push({ sql: condition.sql, value })
  }
  return { driver, beside, left, shape }
}

/** Between which keys, the first of them included, the page is. */
function ends({ filters, key }: List, filter: object, { before }: Page): readonly [string, string] {
  const asked = filter as Readonly<Record<string, Value | undefined>>
  let [least, most] = [key.ends[0], before ?? key.ends[1]]
  for (const [name, condition] of Object.entries(filters)) {
    const given = asked[name]
    if (given === undefined) continue
    if ('sql' in condition) {
      const since = condition.by === 'index' ? condition.since?.(given) : undefined
      if (since !== undefined && isAfter(since, least)) least = since
      continue
    }
    const value = condition.value?.(given) ?? String(given)
    if (condition.by === 'from' && isAfter(value, least)) least = value
    if (condition.by === 'below' && isAfter(most, value)) most = value
  }
  return [least, most]
}

/** Keys are ids of one length, or numbers. */
function isAfter(one: string, other: string): boolean {
  return one.length === other.length ? one > other : one.length > other.length
}
