import { median, type Bar } from '../bar.ts'
import { startOurs } from '../ours.ts'
import { startTwin } from '../twin.ts'
import { askForTokens, type TokensResult } from './tokens.ts'

const inFlight = 64

/** P6: tokens that are durable in the ledger before they leave, against the bare library in memory, alternating in one run. */
export const p6: Bar = {
  id: 'P6',
  claim: 'client-credentials tokens, recorded, against bare oidc-provider in memory, 64 in flight',
  run: async ({ rounds, seconds, say }) => {
    const ours = await startOurs({
      PORTCULLIS__LIMITS__RATE__KEY__PER_SECOND: '1000000',
      PORTCULLIS__LIMITS__RATE__KEY__BURST: '1000000',
    })
    const twin = await startTwin(new URL('bare.ts', import.meta.url))
    try {
      const { app, clientSecret } = await ours.call('IdentityService/CreateApp', {
        name: 'bench',
        scopes: ['telemetry:write'],
      })
      const at = {
        ours: { url: `${ours.url}/v1/oauth/token`, authorization: `Basic ${btoa(`${app.id}:${clientSecret}`)}` },
        twin: { url: `http://${twin.grpc}/token`, authorization: `Basic ${btoa('bench:bench-secret')}` },
      }
      await askForTokens(at.ours, inFlight, 2)
      await askForTokens(at.twin, inFlight, 2)
      const results: { ours: TokensResult[]; twin: TokensResult[] } = { ours: [], twin: [] }
      for (let round = 0; round < rounds; round += 1) {
        results.ours.push(await askForTokens(at.ours, inFlight, seconds))
        results.twin.push(await askForTokens(at.twin, inFlight, seconds))
        const [mine, theirs] = [results.ours.at(-1), results.twin.at(-1)]
        say(`round ${round + 1}: ours ${mine?.perSecond.toFixed(0)}, twin ${theirs?.perSecond.toFixed(0)} tokens/s`)
      }
      const failed = [...results.ours, ...results.twin].reduce((sum, one) => sum + one.failed, 0)
      if (failed > 0) throw new Error(`${failed} requests got no token: the figures mean nothing`)
      return {
        ours: median(results.ours.map((one) => one.perSecond)),
        twin: median(results.twin.map((one) => one.perSecond)),
        ratio: median(results.ours.map((one, round) => one.perSecond / (results.twin[round]?.perSecond ?? Number.NaN))),
        unit: 'tokens/s',
        more: {
          oursP50Ms: median(results.ours.map((one) => one.p50Ms)),
          oursP99Ms: median(results.ours.map((one) => one.p99Ms)),
          twinP50Ms: median(results.twin.map((one) => one.p50Ms)),
          twinP99Ms: median(results.twin.map((one) => one.p99Ms)),
        },
      }
    } finally {
      twin.stop()
      await ours.stop()
    }
  },
}
