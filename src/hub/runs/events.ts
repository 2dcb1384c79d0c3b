import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  EventLevel,
  EventLevelSchema,
  HubService,
  ListRunEventsResponseSchema,
  RecordRunEventResponseSchema,
  RunEventSchema,
  type RecordRunEventRequest,
  type RunEvent,
} from '@portcullis/contract'
import { isRefusal, publicId, uuidv7, type Caller, type Refusal } from '#core'
import { maskJsonText, maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { ownerOf, read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type Effect, type EventFilter, type StoredEvent } from '../ports.ts'
import { enumName, eventLevels, jsonProblem, noRun, sizes } from './rules.ts'

/** The effect of recording one event; alone or as a part of a batch. */
export function eventEffect(message: RecordRunEventRequest, caller: Caller, nowMs: number): Effect | Refusal {
  const fields = new Fields()
  const level = message.level === EventLevel.UNSPECIFIED ? EventLevel.INFO : message.level
  const args = {
    id: uuidv7(nowMs),
    runId: fields.id('runId', message.runId, 'run'),
    ownerAgentId: ownerOf(caller),
    eventType: fields.required('eventType', message.eventType, sizes.name),
    level: fields.choice('level', level, eventLevels, 'DEBUG, INFO, WARN, ERROR'),
    message: fields.text('message', message.message, sizes.message),
    dataJson: fields.text('dataJson', message.dataJson, sizes.dataJson),
    createdAtMs: fields.time('createdAt', message.createdAt, nowMs),
  }
  const problem = jsonProblem(args.dataJson)
  if (problem !== undefined) fields.wrong('dataJson', problem)
  if (fields.refusal !== undefined) return fields.refusal
  return effect({
    operation: 'event.record',
    key: args.id,
    args,
    answer: (row) => {
      if (row === undefined) return noRun
      const event = eventMessage({ ...args, agentId: row.agentId })
      return { reply: create(RecordRunEventResponseSchema, { event }) }
    },
  })
}

const recordRunEvent = write(
  HubService.method.recordRunEvent,
  (message, { caller, clock }) => eventEffect(message, caller, clock.now()),
  ({ runId, eventType, level }) => ({ eventType, level: enumName(EventLevelSchema, level), runId }),
)

const listRunEvents = read(
  HubService.method.listRunEvents,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    fields.choice('level', message.level, [EventLevel.UNSPECIFIED, ...eventLevels], 'DEBUG, INFO, WARN, ERROR')
    const filter: EventFilter = {
      ...(message.runId === '' ? {} : { runId: fields.id('runId', message.runId, 'run') }),
      ...(message.eventType === '' ? {} : { eventType: fields.text('eventType', message.eventType, sizes.name) }),
      ...(message.level === EventLevel.UNSPECIFIED ? {} : { level: message.level }),
      ...fields.span('created', message.createdAfter, message.createdBefore),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage('events', key, message, (page) => reader.events(scope, filter, page), eventMessage)
    if (isRefusal(list)) return list
    return create(ListRunEventsResponseSchema, {
      events: [...list.items],
      nextPageToken: list.nextPageToken,
    })
  },
  ({ pageSize, runId, eventType, level }) => ({ eventType, level: enumName(EventLevelSchema, level), pageSize, runId }),
)

export function eventMessage(row: StoredEvent): RunEvent {
  return create(RunEventSchema, {
    ...row,
    eventType: maskText(row.eventType),
    message: maskText(row.message),
    dataJson: maskJsonText(row.dataJson),
    id: publicId('evt', row.id),
    runId: publicId('run', row.runId),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    level: row.level as EventLevel,
    createdAt: timestampFromMs(row.createdAtMs),
  })
}

export const eventHandlers = [recordRunEvent, listRunEvents]
