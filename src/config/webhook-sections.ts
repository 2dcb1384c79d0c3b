import * as z from 'zod'
import type { FieldMeta } from './fields.ts'

/** What webhooks tell of (SPEC O11), in the order of the documentation. */
export const webhookEvents = [
  'budget.threshold',
  'budget.overage',
  'budget.reservation_expired',
  'policy.violation',
  'kill.engaged',
  'kill.released',
  'kill.auto',
  'kill.alert',
  'cost.drift',
  'token.revoked',
  'token.replayed',
  'job.ended',
  'job.failed',
  'ledger.rollback',
  'ledger.gap',
  'ledger.sink',
  'key.rotated',
  'config.changed',
  'admin.recovered',
] as const

export type WebhookEvent = (typeof webhookEvents)[number]

const secondsMax = 7 * 86_400

const webhook = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'A name is 1 to 32 of a-z, 0-9 and -, and begins with a letter.'),
  url: z.string().min(1),
  secretFile: z.string().min(1),
  nextSecretFile: z.string().min(1).optional(),
  events: z.array(z.string().min(1).max(64)).min(1).max(64),
  /** The name of a tenant. */
  tenant: z.string().min(1).max(128).optional(),
  timeoutMs: z.int().min(100).max(15_000).default(5000),
  retrySeconds: z.array(z.int().min(1).max(secondsMax)).max(20).default([5, 30, 120, 600, 3600, 21_600]),
  allowPrivate: z.boolean().default(false),
  caFile: z.string().min(1).optional(),
})

export const webhooks = z
  .array(webhook)
  .max(32)
  .default([])
  .meta({
    description:
      'Where events are sent: each has `name`, `url`, `secretFile` and `nextSecretFile` (a second one, for a rotation), `events` (such as `kill.engaged` or `budget.*`), `tenant` (all by default), `timeoutMs` (5000), `retrySeconds` (5, 30, 120, 600, 3600 and 21600: when a delivery that failed is tried again, before it is given up), `allowPrivate` and `caFile`. See [webhooks](../webhooks.md).',
    form: 'a list of webhooks, each with name, url, secretFile and events',
  } satisfies FieldMeta)

/** Whether a pattern of the settings (`kill.engaged`, `kill.*`, `*`) means an event. */
export function meansEvent(pattern: string, event: WebhookEvent): boolean {
  return pattern === event || pattern === '*' || (pattern.endsWith('.*') && event.startsWith(pattern.slice(0, -1)))
}
