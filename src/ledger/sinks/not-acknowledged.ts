import type { OutboundReply } from '#core'

/** The far side has answered, and not with an acknowledgement. */
export class NotAcknowledged extends Error {
  /** How long it asked to be left alone, where it did; at most five minutes. */
  readonly retryAfterMs: number | undefined

  constructor(why: string, reply?: Pick<OutboundReply, 'headers'>, cause?: unknown) {
    super(why, { cause })
    this.name = 'NotAcknowledged'
    this.retryAfterMs = retryAfter(reply?.headers['retry-after'])
  }
}

const retryAfterMaxMs = 300_000
const shownCharsMax = 200

/** What the far side says of itself, as one short line that cannot rewrite a terminal. */
export function said(text: unknown): string {
  if (typeof text !== 'string' && typeof text !== 'number') return ''
  const line = String(text).replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
  return line.length > shownCharsMax ? `${line.slice(0, shownCharsMax)}…` : line
}

/** A status that is no success, with what to do about the usual ones. */
export function refusedStatus(reply: OutboundReply): NotAcknowledged {
  return new NotAcknowledged(`it answered ${reply.status}${todo(reply.status)}`, reply)
}

function todo(status: number): string {
  if (status === 401 || status === 403) return ': check the credentials of this sink'
  if (status === 404) return ': check its URL'
  if (status === 413) return ': raise its bound on the size of requests to 2 MiB'
  if (status === 429) return ': it takes no more for now, and is asked again later'
  if (status >= 300 && status < 400) return ': redirects are not followed, name the place where it is'
  return status >= 500 ? ': something is wrong on its side, and it is asked again' : ''
}

/** RFC 9110, 10.2.3: seconds, or a date. */
function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), retryAfterMaxMs)
}
