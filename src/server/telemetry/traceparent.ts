export interface RemoteParent {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
}

const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** W3C Trace Context, level 1, section 3.2; undefined where the header is not valid, which then counts as not sent. */
export function parseTraceparent(text: string): RemoteParent | undefined {
  const match = text.length > 200 ? null : form.exec(text)
  if (match === null) return undefined
  const [, of = '', traceId = '', spanId = '', flags = '', more] = match
  // Version 00 has exactly four parts; later ones may have more.
  if (of === 'ff' || (of === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 }
}
