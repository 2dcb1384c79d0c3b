import { readFileSync } from 'node:fs'
import type { Config } from '#config'
import { Outbound, SecretFile, signWebhook, webhookKey } from '#core'
import { version } from '../version.ts'

export type WebhookSetting = Config['webhooks'][number]

/** What came of one try. */
export type Tried = { readonly ok: true } | { readonly ok: false; readonly why: string; readonly waitMs: number }

const askedMaxMs = 3_600_000

/** Sends signed events to one URL (SPEC O11). Only an answer of 2xx is one; redirects are not followed. */
export class Delivery {
  readonly #setting: WebhookSetting
  readonly #outbound: Outbound
  readonly #secrets: readonly SecretFile[]

  constructor(setting: WebhookSetting) {
    const { allowPrivate, timeoutMs: deadlineMs, caFile, secretFile, nextSecretFile } = setting
    this.#setting = setting
    const ca = caFile === undefined ? undefined : readFileSync(caFile, 'utf8')
    this.#outbound = new Outbound({ allowPrivate, allowHttp: allowPrivate && 'own', deadlineMs, ca })
    this.#secrets = [secretFile, ...(nextSecretFile === undefined ? [] : [nextSecretFile])].map(
      (file) => new SecretFile(file),
    )
  }

  async send(id: string, json: string, nowMs: number, signal?: AbortSignal): Promise<Tried> {
    try {
      const headers = {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': `portcullis/${version}`,
        ...signWebhook(id, Math.floor(nowMs / 1000), json, await this.#keys()),
      }
      const { status, headers: given } = await this.#outbound.send(
        { url: this.#setting.url, headers, body: json },
        signal,
      )
      if (status >= 200 && status <= 299) return { ok: true }
      return { ok: false, why: `it answered ${status}`, waitMs: retryAfterMs(given['retry-after']) }
    } catch (error) {
      return { ok: false, why: error instanceof Error ? error.message : 'it could not be called', waitMs: 0 }
    }
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  async #keys(): Promise<readonly Buffer[]> {
    const secrets = await Promise.all(this.#secrets.map((file) => file.read()))
    return secrets.map((secret) => {
      const key = webhookKey(secret)
      if (key === undefined) throw new Error('a file holds no signing secret of the form whsec_')
      return key
    })
  }
}

/** Seconds, as most send it; a date is passed over. */
function retryAfterMs(value: string | undefined): number {
  return value !== undefined && /^\d{1,6}$/.test(value) ? Math.min(Number(value) * 1000, askedMaxMs) : 0
}
