import { refuse, sha256, type Refusal } from '#core'
import { pageSizeMax } from '../paging.ts'
import type { AnalyticsKey } from './analytics-rows.ts'

export interface KeyPage {
  readonly size: number
  /** Only rows behind it. */
  readonly after: AnalyticsKey | undefined
}

const sizeDefault = 50
// Four names of 200 characters, each up to four bytes and six in JSON, in base64.
const tokenMax = 8000

/** The page that a call asks for, of a list that is sorted by names. As other lists' tokens, this one belongs to its filters (SPEC C4). */
export function readKeyPage(list: string, filter: object, size: number, token: string): KeyPage | Refusal {
  if (size < 0 || size > pageSizeMax)
    return refuse('input.invalid', `pageSize ${size}`, { detail: `pageSize must be between 0 and ${pageSizeMax}` })
  const page = { size: size === 0 ? sizeDefault : size }
  if (token === '') return { ...page, after: undefined }
  const after = token.length > tokenMax ? undefined : keyOf(token, digestOf(list, filter))
  return after === undefined
    ? refuse('input.page_token', `token not of ${list} with these filters`)
    : { ...page, after }
}

export function keyToken(
  list: string,
  filter: object,
  { workflow, promptVersion, provider, model }: AnalyticsKey,
): string {
  const parts = [digestOf(list, filter), workflow, promptVersion, provider, model]
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

function keyOf(token: string, digest: string): AnalyticsKey | undefined {
  const parts = parsed(Buffer.from(token, 'base64url').toString('utf8'))
  if (!Array.isArray(parts) || parts.length !== 5 || parts[0] !== digest) return undefined
  // Anybody can make a token: what PostgreSQL does not take as text is no key.
  const names = parts.filter(
    (part): part is string => typeof part === 'string' && part.isWellFormed() && !part.includes('\0'),
  )
  const [, workflow, promptVersion, provider, model] = names
  if (names.length !== 5 || workflow === undefined || promptVersion === undefined) return undefined
  return provider === undefined || model === undefined ? undefined : { workflow, promptVersion, provider, model }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function digestOf(list: string, filter: object): string {
  return sha256(`${list} ${JSON.stringify(filter)}`)
    .toString('base64url')
    .slice(0, 16)
}
