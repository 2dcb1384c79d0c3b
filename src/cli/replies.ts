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
  requireSignature: z.boolean().default(false),
  replacedByKeyId: text,
})

export const appShape = z.object({
  id: z.string(),
  name: text,
  agentId: text,
  scopes: texts,
  redirectUris: texts,
  grantTypes: texts,
  authMethod: text,
  jwksJson: text,
  tlsSubjectDn: text,
  dpopBound: z.boolean().default(false),
  certificateBound: z.boolean().default(false),
  createdAt: time,
  secretCreatedAt: time,
  secretIsOld: z.boolean().default(false),
  oldSecretExpiresAt: time,
  disabledAt: time,
})

export const certificateShape = z.object({
  id: z.string(),
  agentId: text,
  thumbprint: text,
  subjectDn: text,
  scopes: texts,
  createdAt: time,
  expiresAt: time,
  revokedAt: time,
})

export const signingKeyShape = z.object({
  id: z.string(),
  agentId: text,
  algorithm: text,
  publicKeyPem: text,
  createdAt: time,
  revokedAt: time,
})

export const operatorShape = z.object({
  id: z.string(),
  name: text,
  role: z.string().default('OPERATOR_ROLE_UNSPECIFIED'),
  upstreamSubject: text,
  hasPassword: z.boolean().default(false),
  createdAt: time,
  disabledAt: time,
})

export const sessionShape = z.object({
  id: z.string(),
  operatorId: text,
  appId: text,
  createdAt: time,
  expiresAt: time,
  revokedAt: time,
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
export type App = z.output<typeof appShape>
export type Certificate = z.output<typeof certificateShape>
export type SigningKey = z.output<typeof signingKeyShape>
export type Operator = z.output<typeof operatorShape>
export type Session = z.output<typeof sessionShape>
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

export const appPage = z
  .object({ apps: z.array(appShape).default([]), nextPageToken: text })
  .transform(({ apps, nextPageToken }) => ({ rows: apps, nextPageToken }))

export const certificatePage = z
  .object({ certificates: z.array(certificateShape).default([]), nextPageToken: text })
  .transform(({ certificates, nextPageToken }) => ({ rows: certificates, nextPageToken }))

export const signingKeyPage = z
  .object({ signingKeys: z.array(signingKeyShape).default([]), nextPageToken: text })
  .transform(({ signingKeys, nextPageToken }) => ({ rows: signingKeys, nextPageToken }))

export const operatorPage = z
  .object({ operators: z.array(operatorShape).default([]), nextPageToken: text })
  .transform(({ operators, nextPageToken }) => ({ rows: operators, nextPageToken }))

export const sessionPage = z
  .object({ sessions: z.array(sessionShape).default([]), nextPageToken: text })
  .transform(({ sessions, nextPageToken }) => ({ rows: sessions, nextPageToken }))

export const entryPage = z
  .object({ entries: z.array(entryShape).default([]), nextPageToken: text })
  .transform(({ entries, nextPageToken }) => ({ rows: entries, nextPageToken }))

export interface Page<Row> {
  readonly rows: readonly Row[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}
