import { userInfo } from 'node:os'
import type { Config } from '#config'
import { publicId, uuidv7 } from '#core'
import { encodeBody } from '#ledger'
import { WebhookStore } from '#store'
import { withDeployment, type Deployment, type Place } from '../secrets-deployment.ts'
import { RefusedError } from '../start-error.ts'
import { cloudEventType } from './cloud-event.ts'
import { Delivery } from './delivery.ts'

export interface DeadLetter {
  readonly webhook: string
  /** `<log>/<seq>` of its entry: what `replay` takes. */
  readonly event: string
  readonly action: string
  readonly attempts: number
  readonly givenUpAt: string
  readonly error: string
}

const listedMax = 1000

/** What was given up, the newest first, up to a thousand. */
export function listDeadLetters(place: Place, webhook: string | undefined): Promise<readonly DeadLetter[]> {
  return withStore(place, async (store, { config }) => {
    if (webhook !== undefined) settingOf(config, webhook)
    const rows = await store.dead(webhook, listedMax)
    return rows.map(({ log, seq, givenUpAt, ...row }) => ({
      ...row,
      event: `${log}/${seq}`,
      givenUpAt: givenUpAt.toISOString(),
    }))
  })
}

/** Puts one event, or all of a webhook, into line again; answers how many. A server that runs sends them. */
export function replayDeadLetters(place: Place, webhook: string, event: string | undefined): Promise<number> {
  const at = event === undefined ? undefined : placeOf(event)
  return withStore(place, async (store, { config }) => {
    settingOf(config, webhook)
    const nowMs = Date.now()
    const body = encodeBody({
      access: 'system',
      args: { by: process.env['OPS_OPERATOR'] ?? userInfo().username, event: event ?? '(all)', webhook },
      at: new Date(nowMs).toISOString(),
      bypass: false,
      elapsedUs: 0,
      id: publicId('ent', uuidv7(nowMs)),
      kind: 'webhook.replayed',
      method: '(webhooks)',
      outcome: 'allow',
    })
    const again = await store.replay(webhook, at, body)
    if (again > 0 || at === undefined) return again
    throw new RefusedError(`${webhook} has not given up ${event}`, [
      '`portcullis webhooks dead-letters` lists what it has',
    ])
  })
}

/** Sends one signed event of type `portcullis.test`, now and once. Answers why it was not taken, if so. */
export function testWebhook(
  place: Place,
  webhook: string,
): Promise<{ readonly id: string; readonly problem: string | undefined }> {
  return withDeployment(place, async ({ config }) => {
    const delivery = new Delivery(settingOf(config, webhook))
    try {
      const nowMs = Date.now()
      const id = publicId('ent', uuidv7(nowMs))
      const json = JSON.stringify({
        specversion: '1.0',
        id,
        source: `urn:portcullis:${config.audit.origin}:system`,
        type: cloudEventType('test'),
        time: new Date(nowMs).toISOString(),
        datacontenttype: 'application/json',
        data: { webhook },
      })
      const tried = await delivery.send(id, json, nowMs)
      return { id, problem: tried.ok ? undefined : tried.why }
    } finally {
      await delivery.close()
    }
  })
}

function withStore<Result>(
  place: Place,
  work: (store: WebhookStore, deployment: Deployment) => Promise<Result>,
): Promise<Result> {
  return withDeployment(place, async (deployment) => {
    const store = new WebhookStore(deployment.connection)
    try {
      return await work(store, deployment)
    } finally {
      await store.close()
    }
  })
}

function settingOf({ webhooks }: Pick<Config, 'webhooks'>, name: string): Config['webhooks'][number] {
  const found = webhooks.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = webhooks.map((one) => one.name).join(', ')
  throw new RefusedError(`no webhook is named ${name}`, [
    names === '' ? 'name one under webhooks in the settings' : `the settings have ${names}`,
  ])
}

function placeOf(event: string): { readonly log: string; readonly seq: number } {
  const [, log = '', seq = ''] = /^(.{1,128})\/(\d{1,15})$/.exec(event) ?? []
  if (log !== '') return { log, seq: Number(seq) }
  throw new RefusedError(`${event} is no event of a webhook`, ['write the log and the number of its entry: main/1042'])
}
