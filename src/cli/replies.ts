import * as z from 'zod'

// The replies as the contract has them in JSON: a field that is missing has its default.
const text = z.string().default('')
const texts = z.array(z.string()).default([])
const time = z.string().nullable().default(null)
const count = z.number().default(0)

export const tenantShape = z.object({ id: z.string(), name: text, createdAt: time, disabledAt: time })

export const agentShape = z.object({
  id: z.string(),
  name: text,
  owner: text,
  labels: z.record(z.string(), z.string()).default({}),
  allowedModels: texts,
  allowedTools: texts,
  createdAt: time,
  disabledAt: time,
})

export const apiKeyShape = z.object({
  id: z.string(),
  agentId: text,
  scopes: texts,
  createdAt: time,
  expiresAt: time,
  revokedAt: time,
  lastUsedAt: time,
  allowedModels: texts,
  allowedTools: texts,
  allowedCidrs: texts,
  ratePerSecond: count,
  rateBurst: count,
})

export const entryShape = z.object({
  log: text,
  // int64: decimal text; 0 is left out like any default.
  seq: z
    .string()
    .regex(/^\d{1,19}$/)
    .default('0'),
  ts: time,
  previousHash: text,
  recordHash: text,
  entryJson: text,
})

export type Tenant = z.output<typeof tenantShape>
export type Agent = z.output<typeof agentShape>
export type ApiKey = z.output<typeof apiKeyShape>
export type Entry = z.output<typeof entryShape>

export const tenantPage = z
  .object({ tenants: z.array(tenantShape).default([]), nextPageToken: text })
  .transform(({ tenants, nextPageToken }) => ({ rows: tenants, nextPageToken }))

export const agentPage = z
  .object({ agents: z.array(agentShape).default([]), nextPageToken: text })
  .transform(({ agents, nextPageToken }) => ({ rows: agents, nextPageToken }))

export const keyPage = z
  .object({ keys: z.array(apiKeyShape).default([]), nextPageToken: text })
  .transform(({ keys, nextPageToken }) => ({ rows: keys, nextPageToken }))

export const entryPage = z
  .object({ entries: z.array(entryShape).default([]), nextPageToken: text })
  .transform(({ entries, nextPageToken }) => ({ rows: entries, nextPageToken }))

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}
