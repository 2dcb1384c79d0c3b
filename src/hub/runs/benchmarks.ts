import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  BenchmarkSchema,
  HubService,
  ListBenchmarksResponseSchema,
  RecordBenchmarkResponseSchema,
  type Benchmark,
  type RecordBenchmarkRequest,
} from '@portcullis/contract'
import { isRefusal, publicId, refuse, uuidv7, type Caller, type Refusal } from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { ownerOf, read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type BenchmarkRow, type Effect } from '../ports.ts'
import { costMax, sizes, tokenColumns, tokenCounts } from './rules.ts'

/** The effect of recording one benchmark; alone or as a part of a batch. */
export function benchmarkEffect(message: RecordBenchmarkRequest, caller: Caller, nowMs: number): Effect | Refusal {
  const fields = new Fields()
  const row: BenchmarkRow = {
    id: uuidv7(nowMs),
    workflow: fields.required('workflow', message.workflow, sizes.name),
    agentId: ownerOf(caller),
    providerType: fields.text('providerType', message.providerType, sizes.name),
    provider: fields.text('provider', message.provider, sizes.name),
    model: fields.required('model', message.model, sizes.name),
    ...tokenColumns(fields, message.tokens),
    costNanoUsd: fields.count('costNanoUsd', message.costNanoUsd, costMax),
    latencyMs: fields.count('latencyMs', message.latencyMs),
    qualityScoreMilli: fields.integer('qualityScoreMilli', message.qualityScoreMilli, 0, 1000),
    samples: fields.count('samples', message.samples, 1_000_000_000n),
    notes: fields.text('notes', message.notes, sizes.message),
    createdAtMs: nowMs,
  }
  if (fields.refusal !== undefined) return fields.refusal
  return effect({
    operation: 'benchmark.record',
    key: row.id,
    args: row,
    answer: (done) =>
      done === undefined
        ? refuse('object.not_found', 'the benchmark was not written')
        : { reply: create(RecordBenchmarkResponseSchema, { benchmark: benchmarkMessage(row) }) },
  })
}

const recordBenchmark = write(
  HubService.method.recordBenchmark,
  (message, { caller, clock }) => benchmarkEffect(message, caller, clock.now()),
  ({ workflow, provider, model }) => ({ model, provider, workflow }),
)

const listBenchmarks = read(
  HubService.method.listBenchmarks,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = {
      ...(message.workflow === '' ? {} : { workflow: fields.text('workflow', message.workflow, sizes.name) }),
      ...(message.model === '' ? {} : { model: fields.text('model', message.model, sizes.name) }),
    }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const key = { ...filter, tenant: scope.tenantId }
    const list = await listPage(
      'benchmarks',
      key,
      message,
      (page) => reader.benchmarks(scope, filter, page),
      benchmarkMessage,
    )
    if (isRefusal(list)) return list
    return create(ListBenchmarksResponseSchema, { benchmarks: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, workflow, model }) => ({ model, pageSize, workflow }),
)

export function benchmarkMessage(row: BenchmarkRow): Benchmark {
  return create(BenchmarkSchema, {
    ...row,
    workflow: maskText(row.workflow),
    providerType: maskText(row.providerType),
    provider: maskText(row.provider),
    model: maskText(row.model),
    notes: maskText(row.notes),
    id: publicId('ben', row.id),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    tokens: tokenCounts(row),
    costNanoUsd: BigInt(row.costNanoUsd),
    latencyMs: BigInt(row.latencyMs),
    samples: BigInt(row.samples),
    createdAt: timestampFromMs(row.createdAtMs),
  })
}

export const benchmarkHandlers = [recordBenchmark, listBenchmarks]
