import * as z from 'zod'

const text = z.string().default('')
const time = z.string().nullable().default(null)
const count = z.coerce.number().default(0)

export const killShape = z.object({
  id: z.string(),
  scope: z.object({ kind: text, id: text }),
  reason: text,
  actor: text,
  engagedAt: time,
  expiresAt: time,
  releasedAt: time,
  releasedBy: text,
  releaseReason: text,
  runsCancelled: count,
  reservationsSettled: count,
})

export const engagedShape = z.object({
  kill: killShape,
  replicas: count,
  replicasAcknowledged: count,
  tookMs: count,
})

export const releasedShape = z.object({ kill: killShape })

export const watchedShape = z.object({
  kill: killShape.optional(),
  engaged: z.boolean().default(false),
  heartbeat: z.boolean().default(false),
})

export const drillShape = z.object({
  id: text,
  killId: text,
  denyP50Us: count,
  denyP99Us: count,
  cancelP50Us: count,
  cancelP99Us: count,
  probes: count,
  replicas: count,
  actor: text,
  createdAt: time,
})

export type Kill = z.output<typeof killShape>
export type Drill = z.output<typeof drillShape>

export const killPage = z
  .object({ kills: z.array(killShape).default([]), nextPageToken: text })
  .transform(({ kills, nextPageToken }) => ({ rows: kills, nextPageToken }))

export const drillPage = z
  .object({ drills: z.array(drillShape).default([]), nextPageToken: text })
  .transform(({ drills, nextPageToken }) => ({ rows: drills, nextPageToken }))
