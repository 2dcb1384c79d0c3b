import { create, toJson, type DescMessage, type JsonValue, type Message } from '@bufbuild/protobuf'
import {
  AgentSchema,
  BenchmarkSchema,
  ChangelogEntrySchema,
  ExportStateResponseSchema,
  GetSummaryResponseSchema,
  GetTelemetrySummaryResponseSchema,
  HubService,
  NoteSchema,
  PromptAttemptSchema,
  PublishWorkflowResponseSchema,
  RunEventSchema,
  RunSchema,
  TaskSchema,
  WorkflowSummarySchema,
  type GetTelemetrySummaryResponse,
} from '@portcullis/contract'
import { isRefusal, refuse } from '#core'
import { maskText } from '#ledger'
import { changelogMessage, noteMessage, taskMessage } from '../boards/handlers.ts'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { agentMessage } from '../identities/rules.ts'
import { listPage } from '../paging.ts'
import { effect, type Listed, type Page, type ReaderPort, type ReadScope } from '../ports.ts'
import { attemptMessage } from '../runs/attempts.ts'
import { benchmarkMessage } from '../runs/benchmarks.ts'
import { eventMessage } from '../runs/events.ts'
import { runMessage, sizes, tokenCounts } from '../runs/rules.ts'

/** Fewer samples say too much about single runs to be shown to everybody (SPEC H8). */
const minimumSamples = 20
const exportPageRows = 200

const getSummary = read(
  HubService.method.getSummary,
  async (_message, { caller, reader }) => {
    const totals = await reader.totals(readScope(caller, false))
    return create(GetSummaryResponseSchema, {
      agents: BigInt(totals.agents),
      runs: BigInt(totals.runs),
      activeRuns: BigInt(totals.runs) - BigInt(totals.finishedRuns),
      attempts: BigInt(totals.attempts),
      failedAttempts: BigInt(totals.failedAttempts),
      tokens: tokenCounts(totals),
      costNanoUsd: BigInt(totals.costNanoUsd),
      openTasks: BigInt(totals.openTasks),
    })
  },
  () => ({}),
)

const publishWorkflow = write(
  HubService.method.publishWorkflow,
  (message) => {
    const fields = new Fields()
    const workflow = fields.required('workflow', message.workflow, sizes.name)
    const { published } = message
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'workflow.publish',
      key: workflow,
      args: { workflow, published },
      answer: () => ({ reply: create(PublishWorkflowResponseSchema, { workflow: maskText(workflow), published }) }),
    })
  },
  ({ workflow, published }) => ({ published, workflow }),
)

interface Kind {
  readonly kind: string
  read(reader: ReaderPort, scope: ReadScope, page: Page): Listed<Exported>
}

interface Exported {
  readonly id: string
  /** The object as a line of JSON. */
  readonly line: string
}

/** One kind of object after the other, each newest first. */
const kinds: readonly Kind[] = [
  kind('agent', AgentSchema, (reader, scope, page) => reader.agents(scope, {}, page), agentMessage),
  kind('task', TaskSchema, (reader, scope, page) => reader.tasks(scope, {}, page), taskMessage),
  kind('note', NoteSchema, (reader, scope, page) => reader.notes(scope, {}, page), noteMessage),
  kind('changelog', ChangelogEntrySchema, (reader, scope, page) => reader.changelog(scope, {}, page), changelogMessage),
  kind('run', RunSchema, (reader, scope, page) => reader.runs(scope, {}, page), runMessage),
  kind('attempt', PromptAttemptSchema, (reader, scope, page) => reader.attempts(scope, {}, page), attemptMessage),
  kind('event', RunEventSchema, (reader, scope, page) => reader.events(scope, {}, page), eventMessage),
  kind('benchmark', BenchmarkSchema, (reader, scope, page) => reader.benchmarks(scope, {}, page), benchmarkMessage),
]

const exportState = read(
  HubService.method.exportState,
  async (message, { caller, reader }) => {
    const scope = readScope(caller, false)
    const at = message.pageToken.indexOf('.')
    const index = at < 0 ? 0 : Number(message.pageToken.slice(0, at))
    const one = Number.isInteger(index) ? kinds[index] : undefined
    if (one === undefined) return refuse('input.page_token', 'token not of an export')
    const list = await listPage(
      `export ${one.kind}`,
      { tenant: scope.tenantId },
      { pageSize: exportPageRows, pageToken: message.pageToken.slice(at + 1) },
      (page) => one.read(reader, scope, page),
      ({ line }) => line,
    )
    if (isRefusal(list)) return list
    const next = list.nextPageToken === '' ? index + 1 : index
    const nextPageToken = next < kinds.length ? `${next}.${list.nextPageToken}` : ''
    return create(ExportStateResponseSchema, { jsonLines: list.items.join(''), nextPageToken })
  },
  ({ pageToken }) => ({ first: pageToken === '' }),
)

/** The answer to the public read GetTelemetrySummary: nothing but sums over published workflows. */
export async function telemetrySummary(reader: ReaderPort): Promise<GetTelemetrySummaryResponse> {
  const rows = await reader.publicSummary(minimumSamples)
  const workflows = rows.map((row) => {
    const attempts = BigInt(row.attempts)
    return create(WorkflowSummarySchema, {
      workflow: maskText(row.workflow),
      attempts,
      successRateMilli: Number(((attempts - BigInt(row.failedAttempts)) * 1000n) / attempts),
      inputTokens: BigInt(row.inputTokens),
      outputTokens: BigInt(row.outputTokens),
      averageLatencyMs: BigInt(row.latencyMs) / attempts,
    })
  })
  return create(GetTelemetrySummaryResponseSchema, { workflows })
}

function kind<Row extends { readonly id: string }>(
  name: string,
  schema: DescMessage,
  rows: (reader: ReaderPort, scope: ReadScope, page: Page) => Listed<Row>,
  message: (row: Row) => Message,
): Kind {
  const exported = (row: Row): Exported => {
    const value = maskJson(toJson(schema, message(row)))
    return { id: row.id, line: `${JSON.stringify({ kind: name, value })}\n` }
  }
  return {
    kind: name,
    read: async (reader, scope, page) => {
      const found = await rows(reader, scope, page)
      return isRefusal(found) ? found : { rows: found.rows.map(exported), next: found.next }
    },
  }
}

/** User data is masked before it leaves (SPEC L3). */
function maskJson(value: JsonValue): JsonValue {
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value)) return value.map(maskJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, maskJson(member)]))
}

export const overviewHandlers = [getSummary, publishWorkflow, exportState]
