import { create } from '@bufbuild/protobuf'
import { KillService, ListDrillsResponseSchema, RecordDrillResponseSchema } from '@portcullis/contract'
import { isRefusal, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import { drillMessage } from './messages.ts'

// An hour: what takes longer was no drill.
const timeMaxUs = 3_600_000_000n

const recordDrill = write(
  KillService.method.recordDrill,
  ({ drill }, { caller, clock }) => {
    const fields = new Fields()
    const createdAtMs = clock.now()
    const row = {
      id: uuidv7(createdAtMs),
      killId: fields.id('drill.killId', drill?.killId ?? '', 'kil'),
      denyP50Us: fields.count('drill.denyP50Us', drill?.denyP50Us ?? 0n, timeMaxUs),
      denyP99Us: fields.count('drill.denyP99Us', drill?.denyP99Us ?? 0n, timeMaxUs),
      cancelP50Us: fields.count('drill.cancelP50Us', drill?.cancelP50Us ?? 0n, timeMaxUs),
      cancelP99Us: fields.count('drill.cancelP99Us', drill?.cancelP99Us ?? 0n, timeMaxUs),
      probes: fields.integer('drill.probes', drill?.probes ?? 0, 1, 1_000_000),
      replicas: fields.integer('drill.replicas', drill?.replicas ?? 0, 1, 10_000),
      actor: caller.id,
      createdAtMs,
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'drill.record',
      key: row.id,
      args: row,
      answer: () => ({ reply: create(RecordDrillResponseSchema, { drill: drillMessage(row) }) }),
    })
  },
  ({ drill }) => ({
    cancelP99Us: String(drill?.cancelP99Us ?? 0n),
    denyP99Us: String(drill?.denyP99Us ?? 0n),
    killId: drill?.killId ?? '',
    probes: drill?.probes ?? 0,
    replicas: drill?.replicas ?? 0,
  }),
)

const listDrills = read(
  KillService.method.listDrills,
  async (message, { caller, reader }) => {
    const scope = readScope(caller, false)
    const found = await listPage(
      'drills',
      { tenant: scope.tenantId },
      message,
      (page) => reader.drills(scope, page),
      drillMessage,
    )
    if (isRefusal(found)) return found
    return create(ListDrillsResponseSchema, { drills: [...found.items], nextPageToken: found.nextPageToken })
  },
  ({ pageSize }) => ({ pageSize }),
)

export const drillHandlers = [recordDrill, listDrills]
