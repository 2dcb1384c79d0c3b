import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  AppendChangelogResponseSchema,
  ChangelogEntrySchema,
  CreateNoteResponseSchema,
  CreateTaskResponseSchema,
  DeleteTaskResponseSchema,
  HubService,
  ListChangelogResponseSchema,
  ListNotesResponseSchema,
  ListTasksResponseSchema,
  NoteSchema,
  TaskSchema,
  TaskState,
  TaskStateSchema,
  UpdateTaskResponseSchema,
  type ChangelogEntry,
  type Note,
  type Task,
} from '@portcullis/contract'
import { isRefusal, publicId, refuse, uuidv7 } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { bare, ownerOf, read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type ChangelogRow, type NoteRow, type TaskRow } from '../ports.ts'
import { enumName, sizes } from '../runs/rules.ts'

const states = TaskStateSchema.values.map(({ number }) => number as TaskState)
const noTask = refuse('object.not_found', 'no such task for this caller')
const stateNames = 'the states of TaskState'

const createTask = write(
  HubService.method.createTask,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const status = message.status === TaskState.UNSPECIFIED ? TaskState.SUBMITTED : message.status
    const row: TaskRow = {
      id: uuidv7(nowMs),
      agentId: ownerOf(caller),
      title: fields.required('title', message.title, sizes.name),
      details: fields.text('details', message.details, sizes.message),
      status: fields.choice('status', status, states, stateNames),
      tags: fields.texts('tags', message.tags, 32, 64),
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'task.create',
      key: row.id,
      args: row,
      answer: (done) =>
        done === undefined ? noTask : { reply: create(CreateTaskResponseSchema, { task: taskMessage(row) }) },
    })
  },
  ({ title, status }) => ({ status: enumName(TaskStateSchema, status), title }),
)

const updateTask = write(
  HubService.method.updateTask,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const id = fields.id('taskId', message.taskId, 'tsk')
    const title = fields.text('title', message.title, sizes.name)
    const details = fields.text('details', message.details, sizes.message)
    const status = fields.choice('status', message.status, states, stateNames)
    const tags = fields.texts('tags', message.tags, 32, 64)
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'task.update',
      key: id,
      args: {
        id,
        ownerAgentId: ownerOf(caller),
        title: title === '' ? null : title,
        details: details === '' ? null : details,
        status: status === TaskState.UNSPECIFIED ? null : status,
        tags: tags.length === 0 ? null : tags,
        updatedAtMs: clock.now(),
      },
      answer: (row) =>
        row === undefined ? noTask : { reply: create(UpdateTaskResponseSchema, { task: taskMessage(row) }) },
    })
  },
  ({ taskId, status }) => ({ status: enumName(TaskStateSchema, status), taskId }),
)

const deleteTask = write(
  HubService.method.deleteTask,
  (message, { caller }) => {
    const fields = new Fields()
    const id = fields.id('taskId', message.taskId, 'tsk')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'task.delete',
      key: id,
      args: { id, ownerAgentId: ownerOf(caller) },
      answer: (row) => (row === undefined ? noTask : { reply: create(DeleteTaskResponseSchema) }),
    })
  },
  ({ taskId }) => ({ taskId }),
)

const listTasks = read(
  HubService.method.listTasks,
  async (message, { caller, ownOnly, reader }) => {
    const fields = new Fields()
    fields.choice('status', message.status, states, stateNames)
    const filter = {
      ...(message.status === TaskState.UNSPECIFIED ? {} : { status: message.status }),
      ...(message.tag === '' ? {} : { tag: fields.text('tag', message.tag, 64) }),
      ...(ownOnly ? { agentId: bare(caller.id) } : {}),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage('tasks', key, message, (page) => reader.tasks(scope, filter, page), taskMessage)
    if (isRefusal(list)) return list
    return create(ListTasksResponseSchema, { tasks: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, status, tag }) => ({ pageSize, status: enumName(TaskStateSchema, status), tag }),
)

const createNote = write(
  HubService.method.createNote,
  (message, { clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const row: NoteRow = {
      id: uuidv7(nowMs),
      title: fields.required('title', message.title, sizes.name),
      body: fields.text('body', message.body, sizes.dataJson),
      tags: fields.texts('tags', message.tags, 32, 64),
      createdAtMs: nowMs,
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'note.create',
      key: row.id,
      args: row,
      answer: () => ({ reply: create(CreateNoteResponseSchema, { note: noteMessage(row) }) }),
    })
  },
  ({ title }) => ({ title }),
)

const listNotes = read(
  HubService.method.listNotes,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.tag === '' ? {} : { tag: fields.text('tag', message.tag, 64) }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage('notes', key, message, (page) => reader.notes(scope, filter, page), noteMessage)
    if (isRefusal(list)) return list
    return create(ListNotesResponseSchema, { notes: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, tag }) => ({ pageSize, tag }),
)

const appendChangelog = write(
  HubService.method.appendChangelog,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const row: ChangelogRow = {
      id: uuidv7(nowMs),
      category: fields.required('category', message.category, 64),
      summary: fields.required('summary', message.summary, sizes.error),
      details: fields.text('details', message.details, sizes.message),
      actor: caller.id,
      createdAtMs: nowMs,
    }
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'changelog.append',
      key: row.id,
      args: row,
      answer: () => ({ reply: create(AppendChangelogResponseSchema, { entry: changelogMessage(row) }) }),
    })
  },
  ({ category, summary }) => ({ category, summary }),
)

const listChangelog = read(
  HubService.method.listChangelog,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.category === '' ? {} : { category: fields.text('category', message.category, 64) }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage(
      'changelog',
      key,
      message,
      (page) => reader.changelog(scope, filter, page),
      changelogMessage,
    )
    if (isRefusal(list)) return list
    return create(ListChangelogResponseSchema, { entries: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, category }) => ({ category, pageSize }),
)

export function taskMessage(row: TaskRow): Task {
  const { title, details, status, tags } = row
  return create(TaskSchema, {
    id: publicId('tsk', row.id),
    title: maskText(title),
    details: maskText(details),
    status: status as TaskState,
    tags: tags.map((tag) => maskText(tag)),
    createdAt: timestampFromMs(row.createdAtMs),
    updatedAt: timestampFromMs(row.updatedAtMs),
  })
}

export function noteMessage({ id, title, body, tags, createdAtMs }: NoteRow): Note {
  const createdAt = timestampFromMs(createdAtMs)
  return create(NoteSchema, {
    id: publicId('not', id),
    title: maskText(title),
    body: maskText(body),
    tags: tags.map((tag) => maskText(tag)),
    createdAt,
  })
}

export function changelogMessage({ id, category, summary, details, actor, createdAtMs }: ChangelogRow): ChangelogEntry {
  const createdAt = timestampFromMs(createdAtMs)
  return create(ChangelogEntrySchema, {
    id: publicId('chg', id),
    category: maskText(category),
    summary: maskText(summary),
    details: maskText(details),
    actor: maskText(actor),
    createdAt,
  })
}

export const boardHandlers = [
  createTask,
  updateTask,
  deleteTask,
  listTasks,
  createNote,
  listNotes,
  appendChangelog,
  listChangelog,
]
