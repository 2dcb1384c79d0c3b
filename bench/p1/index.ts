import { create, toBinary } from '@bufbuild/protobuf'
import { Client } from 'pg'
import { AttemptOutcome, RecordPromptAttemptRequestSchema } from '@portcullis/contract'
import { load, type LoadResult, type PreparedCall } from '../load.ts'
import { startOurs, type OurServer } from '../ours.ts'
import { startTwin } from '../twin.ts'
import { median, type Bar, type BarResult } from '../bar.ts'

const agents = 5
const path = '/portcullis.v1.HubService/RecordPromptAttempt'

/** P1: a hardened durable write against the naive one, alternating in one run on one PostgreSQL. */
export const p1: Bar = {
  id: 'P1',
  claim: 'hardened durable writes against naive ones, 256 in flight',
  run: async ({ rounds, seconds, say }) => {
    const ours = await startOurs()
    const twin = await startTwin(new URL('naive.ts', import.meta.url), {
      NAIVE_DATABASE_URL: await naiveDatabase(ours),
    })
    try {
      const hardened = await hardenedCalls(ours)
      const plain = plainCalls()
      const results: { ours: LoadResult[]; twin: LoadResult[] } = { ours: [], twin: [] }
      await load(ours.grpc, 256, 1, hardened)
      await load(twin.grpc, 256, 1, plain)
      for (let round = 0; round < rounds; round += 1) {
        results.ours.push(await load(ours.grpc, 256, seconds, hardened))
        results.twin.push(await load(twin.grpc, 256, seconds, plain))
        say(
          `round ${round + 1}: ours ${results.ours.at(-1)?.perSecond.toFixed(0)}, twin ${results.twin.at(-1)?.perSecond.toFixed(0)} calls/s`,
        )
      }
      const alone = {
        ours: await load(ours.grpc, 1, seconds, hardened),
        twin: await load(twin.grpc, 1, seconds, plain),
      }
      const failed = [...results.ours, ...results.twin].reduce((sum, one) => sum + one.failed, 0)
      if (failed > 0) throw new Error(`${failed} calls failed: the figures mean nothing`)
      const rate = (list: readonly LoadResult[]): number => median(list.map((one) => one.perSecond))
      const result: BarResult = {
        ours: rate(results.ours),
        twin: rate(results.twin),
        ratio: median(results.ours.map((one, round) => one.perSecond / (results.twin[round]?.perSecond ?? Number.NaN))),
        unit: 'calls/s',
        more: {
          oursP99Ms: median(results.ours.map((one) => one.p99Ms)),
          twinP99Ms: median(results.twin.map((one) => one.p99Ms)),
          loneOursP50Ms: alone.ours.p50Ms,
          loneTwinP50Ms: alone.twin.p50Ms,
          loneRatio: alone.ours.p50Ms / alone.twin.p50Ms,
        },
      }
      return result
    } finally {
      twin.stop()
      await ours.stop()
    }
  },
}

export async function hardenedCalls(ours: OurServer): Promise<() => PreparedCall> {
  const callers: { key: string; runId: string }[] = []
  for (let index = 0; index < agents; index += 1) {
    const { key } = await ours.agent(`bench-${index}`)
    const { run } = await ours.call('HubService/StartRun', { workflow: 'bench' }, key)
    callers.push({ key, runId: run.id })
  }
  let count = 0
  return () => {
    count += 1
    const caller = callers[count % agents]
    if (caller === undefined) throw new Error('no callers')
    return {
      path,
      headers: { authorization: `Bearer ${caller.key}`, 'idempotency-key': `p1-${process.pid}-${count}` },
      message: attempt(caller.runId, count),
    }
  }
}

export function plainCalls(): () => PreparedCall {
  let count = 0
  return () => {
    count += 1
    return { path, headers: {}, message: attempt('run_01934c5e-0000-7000-8000-000000000000', count) }
  }
}

function attempt(runId: string, count: number): Uint8Array {
  return toBinary(
    RecordPromptAttemptRequestSchema,
    create(RecordPromptAttemptRequestSchema, {
      runId,
      attemptNumber: count,
      providerType: 'api',
      provider: 'example',
      model: 'model-a',
      promptVersion: 'v3',
      promptHash: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
      outcome: AttemptOutcome.SUCCESS,
      tokens: { input: 1154n, output: 211n },
      latencyMs: 840n,
    }),
  )
}

export async function naiveDatabase(ours: OurServer): Promise<string> {
  const owner = new Client(await ours.database('portcullis_owner'))
  await owner.connect()
  await owner.query('create schema if not exists naive')
  await owner.end()
  const { host, port, user, password, database } = await ours.database('portcullis_owner')
  return `postgres://${user}:${password}@${host}:${port}/${database}?options=-c%20search_path%3Dnaive`
}
