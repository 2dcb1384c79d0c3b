import { createHmac } from 'node:crypto'
import type { Secret } from './secret.ts'

const prefix = 'whsec_'

/** The key in a secret of the form `whsec_` and base64 of 24 to 64 bytes; undefined where it has another form. */
export function webhookKey(secret: Secret): Buffer | undefined {
  const text = secret.reveal().trim()
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined
  const key = Buffer.from(text.slice(prefix.length), 'base64')
  return key.length >= 24 && key.length <= 64 ? key : undefined
}

/** The headers of the Standard Webhooks specification: one signature for each key, so that a receiver may know either. */
export function signWebhook(
  id: string,
  timestampSeconds: number,
  body: string,
  keys: readonly Buffer[],
): Readonly<Record<string, string>> {
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`,
  )
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': signatures.join(' '),
  }
}
