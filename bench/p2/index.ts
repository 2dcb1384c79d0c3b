import { create, toBinary } from '@bufbuild/protobuf'
import { CheckRequestSchema } from '@portcullis/contract'
import { median, type Bar } from '../bar.ts'
import { load, type LoadResult, type PreparedCall } from '../load.ts'
import { startOurs } from '../ours.ts'
import { startTwin } from '../twin.ts'

const path = '/portcullis.v1.AuthorizationService/Check'

/** P2: a recorded decision for another service against a bare echo of the same messages, alternating in one run. */
export const p2: Bar = {
  id: 'P2',
  claim: 'recorded Check decisions against a bare grpc-js echo, 256 in flight',
  run: async ({ rounds, seconds, say }) => {
    const ours = await startOurs()
    const twin = await startTwin(new URL('echo.ts', import.meta.url))
    try {
      const checked = await ours.agent('checked')
      const service = await ours.agent('gateway', ['authz:check'])
      const message = toBinary(
        CheckRequestSchema,
        create(CheckRequestSchema, { credential: checked.key, action: 'telemetry:write', resource: 'run/1' }),
      )
      const headers = { authorization: `Bearer ${service.key}` }
      const call = (): PreparedCall => ({ path, headers, message })
      const results: { ours: LoadResult[]; twin: LoadResult[] } = { ours: [], twin: [] }
      await load(ours.grpc, 256, 2, call)
      await load(twin.grpc, 256, 2, call)
      const before = await decided(ours.management)
      for (let round = 0; round < rounds; round += 1) {
        results.ours.push(await load(ours.grpc, 256, seconds, call))
        results.twin.push(await load(twin.grpc, 256, seconds, call))
        say(
          `round ${round + 1}: ours ${results.ours.at(-1)?.perSecond.toFixed(0)}, twin ${results.twin.at(-1)?.perSecond.toFixed(0)} calls/s`,
        )
      }
      const after = await decided(ours.management)
      const failed = [...results.ours, ...results.twin].reduce((sum, one) => sum + one.failed, 0)
      if (failed > 0) throw new Error(`${failed} calls failed: the figures mean nothing`)
      const rate = (list: readonly LoadResult[]): number => median(list.map((one) => one.perSecond))
      return {
        ours: rate(results.ours),
        twin: rate(results.twin),
        ratio: median(results.ours.map((one, round) => one.perSecond / (results.twin[round]?.perSecond ?? Number.NaN))),
        unit: 'calls/s',
        more: {
          oursP99Ms: median(results.ours.map((one) => one.p99Ms)),
          twinP99Ms: median(results.twin.map((one) => one.p99Ms)),
          // The bar is 0.99.
          decidedWithin200Us: (after.quick - before.quick) / (after.all - before.all),
        },
      }
    } finally {
      twin.stop()
      await ours.stop()
    }
  },
}

interface Decided {
  readonly all: number
  readonly quick: number
}

/** How many decisions the gate has made inside the process, and how many of them within 0.2 ms, by its metrics. */
async function decided(management: string): Promise<Decided> {
  const response = await fetch(`${management}/metrics`, { signal: AbortSignal.timeout(5000) })
  const metrics = await response.text()
  const counted = (series: string): number => {
    const line = metrics.split('\n').find((one) => one.startsWith(`portcullis_gate_duration_seconds_${series}`))
    if (line === undefined) throw new Error(`the metrics have no portcullis_gate_duration_seconds_${series}`)
    return Number(line.slice(line.lastIndexOf(' ')))
  }
  return { all: counted('count'), quick: counted('bucket{le="0.0002"}') }
}
