import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'

export interface Target {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** For the whole exchange, connecting included. */
  readonly deadlineMs: number
}

export type Sent = { readonly ok: true } | { readonly ok: false; readonly why: string; readonly status?: number }

/** How much of a response is read before its connection is dropped (SPEC O4). */
export const responseBytesMax = 1024 * 1024

/**
 * Posts JSON and reads at most 1 MiB of the response, within the deadline. Never rejects. Redirects are not followed: they are a
 * status like any other that is not success.
 */
export function sendBounded({ url, headers, deadlineMs }: Target, body: string): Promise<Sent> {
  return new Promise((resolve) => {
    const bytes = Buffer.from(body)
    const send = url.startsWith('https:') ? httpsRequest : httpRequest
    // No kept-alive connections: a target that misbehaves on one cannot touch the next send.
    const outgoing = send(url, {
      method: 'POST',
      agent: false,
      headers: { ...headers, 'content-type': 'application/json', 'content-length': bytes.length },
    })
    let status: number | undefined
    const end = (sent: Sent): void => {
      clearTimeout(late)
      resolve(sent)
      outgoing.destroy()
    }
    const no = (why: string): void => end({ ok: false, why, ...(status === undefined ? {} : { status }) })
    const late = setTimeout(() => no('the deadline passed'), deadlineMs)
    late.unref()
    outgoing.on('error', (error) => no(error.message))
    outgoing.on('response', (response) => {
      status = response.statusCode ?? 0
      const good = status >= 200 && status < 300
      // The status says whether the events were taken; what follows is drained, so that the target is not cut off mid-reply.
      const done = (): void => (good ? end({ ok: true }) : no('not a success'))
      drain(response, done, (error) => (good ? end({ ok: true }) : no(error.message)))
    })
    outgoing.end(bytes)
  })
}

function drain(response: IncomingMessage, done: () => void, broken: (error: Error) => void): void {
  let read = 0
  response.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read >= responseBytesMax) done()
  })
  response.on('end', done)
  response.on('error', broken)
}
