import { TimestampSchema } from '@bufbuild/protobuf/wkt'
import { isRefusal, refuse, sha256, type Refusal } from '#core'
import type { Listed, Listing, Page } from './ports.ts'

const sizeDefault = 50
export const pageSizeMax = 1000
// Far below what a listener sends and a client reads. What the store read is bounded too, but grows: in JSON up to six times.
const replyBytesMax = 1536 * 1024
const rowsPerToken = 100

// What a list is sorted by. Anybody can make a token, and the store must not be asked for what is no key.
const sequence = /^\d{1,18}$/
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * The page that a list call asks for. A token names the list, its filters and the caller's tenant by digest, so that one from
 * another list is refused instead of silently giving a wrong page (SPEC C4).
 */
export function readPage(list: string, filter: object, size: number, token: string): Page | Refusal {
  if (size < 0 || size > pageSizeMax) {
    return refuse('input.invalid', `pageSize ${size}`, { detail: `pageSize must be between 0 and ${pageSizeMax}` })
  }
  const page = { size: size === 0 ? sizeDefault : size }
  if (token === '') return { ...page, before: undefined }
  const [digest, before, ...rest] = decode(token)
  if (
    digest !== listDigest(list, filter) ||
    before === undefined ||
    rest.length > 0 ||
    !(list === 'entries' || list === 'prices' ? sequence : uuid).test(before)
  ) {
    return refuse('input.page_token', `token not of ${list} with these filters`)
  }
  return { ...page, before }
}

/** The token of a page that begins below `key`; empty where there is none. */
export function tokenAt(list: string, filter: object, key: string | undefined): string {
  return key === undefined ? '' : Buffer.from(`${listDigest(list, filter)} ${key}`).toString('base64url')
}

/** Items of a reply and the token of the next page, or why not. */
type Paged<Item> = { readonly items: readonly Item[]; readonly nextPageToken: string } | Refusal

/** One list call. Its page ends early where the reply would become too large. */
export async function listPage<Row extends { readonly id: string }, Item>(
  list: string,
  filter: object,
  request: { readonly pageSize: number; readonly pageToken: string },
  read: (page: Page) => Listed<Row>,
  itemOf: (row: Row) => Item,
): Promise<Paged<Item>> {
  const page = readPage(list, filter, request.pageSize, request.pageToken)
  if (isRefusal(page)) return page
  const found = await read(page)
  if (isRefusal(found)) return found
  const { items, next } = fit(found, ({ id }) => id, itemOf)
  return { items, nextPageToken: tokenAt(list, filter, next) }
}

/** As much of what was found as a reply holds; one item at the least, whose fields have bounds of their own. */
export function fit<Row, Item>(
  found: Listing<Row>,
  keyOf: (row: Row) => string,
  itemOf: (row: Row) => Item,
): { readonly items: readonly Item[]; readonly next: string | undefined } {
  const items: Item[] = []
  let bytes = 0
  let last: Row | undefined
  for (const row of found.rows) {
    const item = itemOf(row)
    bytes += jsonBytes(item)
    if (last !== undefined && bytes > replyBytesMax) return { items, next: keyOf(last) }
    items.push(item)
    last = row
  }
  return { items, next: found.next }
}

/** The tokens of its bucket that a list call costs. */
export function listCost({ pageSize }: { readonly pageSize: number }): number {
  return Math.ceil(Math.min(pageSize, pageSizeMax) / rowsPerToken)
}

// A time in RFC 3339, an int64 in its quotes, the longest name of an enum value.
const scalarBytes = 32

/** About what a message takes in JSON, and not less; in binary it is smaller. */
function jsonBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(JSON.stringify(value))
  if (typeof value === 'bigint') return String(value).length + 2
  if (typeof value !== 'object' || value === null) return scalarBytes
  if ('$typeName' in value && value.$typeName === TimestampSchema.typeName) return scalarBytes
  let bytes = 2
  for (const [name, member] of Object.entries(value)) {
    if (name !== '$typeName') bytes += name.length + 4 + jsonBytes(member)
  }
  return bytes
}

function listDigest(list: string, filter: object): string {
  return sha256(`${list} ${JSON.stringify(filter)}`)
    .toString('base64url')
    .slice(0, 16)
}

function decode(token: string): readonly string[] {
  return token.length > 200 ? [] : Buffer.from(token, 'base64url').toString('latin1').split(' ')
}
