import { LateReply, type Outbound } from '#core'

/** Where events go. Such systems may be in a network of one's own: they are named by who runs this server. */
export interface Target {
  readonly url: string
  /** Asked before each send, so that a token changes without a restart. */
  readonly headers: () => Promise<Readonly<Record<string, string>>>
  readonly outbound: Outbound
  /** For the whole exchange, connecting included. */
  readonly deadlineMs: number
}

export type Sent = { readonly ok: true } | { readonly ok: false; readonly why: string; readonly status?: number }

export const telemetryTargets = { allowPrivate: true, allowHttp: true } as const

/**
 * Posts JSON over the one way out, which bounds the reply and follows no redirect. Never rejects. The status says whether the
 * events were taken, whatever becomes of the rest of the reply.
 */
export async function sendBounded(
  { url, headers, outbound, deadlineMs }: Target,
  encode: () => string | Promise<string>,
): Promise<Sent> {
  try {
    const until = AbortSignal.timeout(Math.max(1, Math.ceil(deadlineMs)))
    const own = await headers()
    const request = { url, headers: { ...own, 'content-type': 'application/json' }, body: await encode() }
    return judge((await outbound.send(request, until)).status)
  } catch (error) {
    // A reply without end, byte by byte, is no reason to send again what was taken.
    if (error instanceof LateReply) return judge(error.status)
    return { ok: false, why: error instanceof Error ? error.message : String(error) }
  }
}

function judge(status: number): Sent {
  return status >= 200 && status < 300 ? { ok: true } : { ok: false, why: 'not a success', status }
}
