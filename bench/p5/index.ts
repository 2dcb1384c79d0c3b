import { create, toBinary } from '@bufbuild/protobuf'
import { AttemptOutcome, RecordBatchRequestSchema } from '@portcullis/contract'
import { median, type Bar } from '../bar.ts'
import { load, type PreparedCall } from '../load.ts'
import { startOurs, type OurServer } from '../ours.ts'
import { callers } from '../p3/callers.ts'
import { measureAtScale } from './at-scale.ts'
import { NaiveRows } from './naive.ts'

const rowsOfACall = 1000
const callsInFlight = 4
const insertsInFlight = 64

/**
 * P5: rows of telemetry, recorded with their keys, totals, roll-ups and ledger entries, against one INSERT a row, alternating in one run
 * on one PostgreSQL. With `--rows` also pages of lists, roll-ups and retention over that many attempts.
 */
export const p5: Bar = {
  id: 'P5',
  claim: 'telemetry in batches against one INSERT a row, 64 in flight',
  run: async ({ rounds, seconds, say, rows }) => {
    const ours = await startOurs()
    const naive = await NaiveRows.make(await ours.database('portcullis_owner'))
    try {
      const batches = await batchCalls(ours)
      const oursOnce = async (forSeconds: number): Promise<number> => {
        const { failed, perSecond } = await load(ours.grpc, callsInFlight, forSeconds, batches)
        if (failed > 0) throw new Error(`${failed} calls failed: the figures mean nothing`)
        return perSecond * rowsOfACall
      }
      const twinOnce = async (forSeconds: number): Promise<number> =>
        (await callers(insertsInFlight, forSeconds, () => naive.insert())).perSecond
      await load(ours.grpc, callsInFlight, 2, batches)
      await twinOnce(1)
      const rates: { readonly ours: number; readonly twin: number }[] = []
      for (let round = 0; round < rounds; round += 1) {
        const rate = { ours: await oursOnce(seconds), twin: await twinOnce(seconds) }
        rates.push(rate)
        say(`round ${round + 1}: ours ${rate.ours.toFixed(0)}, twin ${rate.twin.toFixed(0)} rows/s`)
      }
      return {
        ours: median(rates.map((one) => one.ours)),
        twin: median(rates.map((one) => one.twin)),
        ratio: median(rates.map((one) => one.ours / one.twin)),
        unit: 'rows/s',
        more: rows === 0 ? {} : await measureAtScale(ours, rows, say),
      }
    } finally {
      await naive.close()
      await ours.stop()
    }
  },
}

async function batchCalls(ours: OurServer): Promise<() => PreparedCall> {
  const { key } = await ours.agent('bench-batches')
  const { run } = await ours.call('HubService/StartRun', { workflow: 'bench' }, key)
  const attempts = Array.from({ length: rowsOfACall }, (_, at) => ({
    runId: run.id as string,
    attemptNumber: 1 + (at % 3),
    providerType: 'api',
    provider: 'example',
    model: `model-${at % 4}`,
    promptVersion: 'v3',
    promptHash: 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9',
    outcome: at % 20 === 0 ? AttemptOutcome.FAILED : AttemptOutcome.SUCCESS,
    tokens: { input: 1154n, output: 211n },
    latencyMs: BigInt(200 + ((at * 37) % 2000)),
  }))
  const message = toBinary(RecordBatchRequestSchema, create(RecordBatchRequestSchema, { attempts }))
  let count = 0
  return () => {
    count += 1
    const headers = { authorization: `Bearer ${key}`, 'idempotency-key': `p5-${process.pid}-${count}` }
    return { path: '/portcullis.v1.HubService/RecordBatch', headers, message }
  }
}
