import { createHmac } from 'node:crypto'
import { Outbound, SecretFile, type Json } from '#core'
import type { JobHandler, JobResult } from './job.ts'

interface Callback {
  readonly url: string
  readonly secretFile: string
  readonly timeoutMs: number
  readonly allowPrivate: boolean
}

const shownMax = 2000

/**
 * A kind that somebody else's server runs: one signed POST for each try. 2xx is done, and a JSON object in the reply is the result;
 * anything else is a failure. The signature is HMAC-SHA256 in hex over `<timestamp>.<body>`, with the time in seconds.
 */
export function httpHandler({ url, secretFile, timeoutMs, allowPrivate }: Callback): {
  readonly handler: JobHandler
  readonly close: () => Promise<void>
} {
  const outbound = new Outbound({ allowPrivate, allowHttp: allowPrivate && 'own', deadlineMs: timeoutMs })
  const secret = new SecretFile(secretFile)
  const handler: JobHandler = async ({ id, kind, attempt, trigger, tenant, data, signal }) => {
    const body = JSON.stringify({ id, kind, attempt, trigger, tenant, data })
    const timestamp = String(Math.floor(Date.now() / 1000))
    const key = (await secret.read()).reveal()
    const signature = createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')
    const headers = {
      'content-type': 'application/json',
      'portcullis-job': id,
      'portcullis-timestamp': timestamp,
      'portcullis-signature': `v1=${signature}`,
    }
    const reply = await outbound.send({ url, headers, body }, signal)
    if (reply.status < 200 || reply.status > 299) throw new Error(`the callback answered ${reply.status}`)
    return resultOf(reply.status, reply.body.toString('utf8'))
  }
  return { handler, close: () => outbound.close() }
}

function resultOf(status: number, text: string): JobResult {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { status, reply: value as Json }
  } catch {
    // A callback may answer in any form: what is no JSON is shown as text.
  }
  return { status, text: text.slice(0, shownMax).toWellFormed().replaceAll('\0', '') }
}
