import { isRefusal, refuse, sha256, type Refusal } from '#core'
import type { Page } from './ports.ts'

const sizeDefault = 50
export const pageSizeMax = 1000

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
    !(list === 'entries' ? sequence : uuid).test(before)
  ) {
    return refuse('input.page_token', `token not of ${list} with these filters`)
  }
  return { ...page, before }
}

/** The rows to answer with and the token of the next page; `rows` was read with one row more than the page holds. */
export function cutPage<Row>(
  list: string,
  filter: object,
  page: Page,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
): { readonly rows: readonly Row[]; readonly nextPageToken: string } {
  const last = rows[page.size - 1]
  if (rows.length <= page.size || last === undefined) return { rows, nextPageToken: '' }
  return { rows: rows.slice(0, page.size), nextPageToken: tokenAt(list, filter, keyOf(last)) }
}

/** The token of a page that begins below `key`. */
export function tokenAt(list: string, filter: object, key: string): string {
  return Buffer.from(`${listDigest(list, filter)} ${key}`).toString('base64url')
}

/** One list call: its page is read with one row more than it holds, to know whether there is another. */
export async function listPage<Row>(
  list: string,
  filter: object,
  request: { readonly pageSize: number; readonly pageToken: string },
  read: (page: Page) => Promise<readonly Row[]>,
  keyOf: (row: Row) => string,
): Promise<{ readonly rows: readonly Row[]; readonly nextPageToken: string } | Refusal> {
  const page = readPage(list, filter, request.pageSize, request.pageToken)
  if (isRefusal(page)) return page
  return cutPage(list, filter, page, await read({ ...page, size: page.size + 1 }), keyOf)
}

function listDigest(list: string, filter: object): string {
  return sha256(`${list} ${JSON.stringify(filter)}`)
    .toString('base64url')
    .slice(0, 16)
}

function decode(token: string): readonly string[] {
  return token.length > 200 ? [] : Buffer.from(token, 'base64url').toString('latin1').split(' ')
}
