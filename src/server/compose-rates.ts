import type { Logger } from 'pino'
import type { Config } from '#config'
import { Gcra, chargeHere, type GatePorts } from '#gate'
import { SharedRates } from './shared-rates/index.ts'
import { StartError } from './start-error.ts'

type Buckets = Pick<GatePorts, 'failures' | 'addresses' | 'calls' | 'workers' | 'shared'>

/** The buckets of the gate as the settings want them: of this process, of its share, or of all replicas (SPEC G7). */
export interface ComposedRates {
  readonly buckets: Buckets
  /** Takes over changed rates. */
  configure(rate: Config['limits']['rate']): void
  /** Where the buckets are shared; made once the gate is there, because it falls back to it. */
  share(gate: GatePorts): Promise<SharedRates | undefined>
}

export function composeRates({ limits: { rate }, replicas }: Config, workers: number, log: Logger): ComposedRates {
  const [failures, addresses, calls] = [new Gcra(rate.failures), new Gcra(rate.address), new Gcra(rate.key)]
  const shared = rate.store === 'redis'
  return {
    buckets: { failures, addresses, calls, workers, shared },
    configure: (changed) => {
      failures.configure(changed.failures)
      addresses.configure(changed.address)
      calls.configure(changed.key)
    },
    share: async (gate) => {
      const { redis } = replicas
      if (!shared) return undefined
      if (redis?.url === undefined) throw new StartError('no Redis is configured', ['set replicas.redis.url'])
      const { url, timeoutMs, whenAway } = redis
      // Its client is loaded where it is asked for: a fifth of a second of every other start.
      const { RedisBuckets } = await import('./shared-rates/redis-buckets.ts')
      const rates = new SharedRates({
        buckets: new RedisBuckets({ url, timeoutMs }),
        whenAway,
        here: (charges) => chargeHere(charges, gate),
        changed: (away, why) =>
          away
            ? log.warn(
                { event: 'rates.away', whenAway, why: why instanceof Error ? why.message : String(why) },
                awayText,
              )
            : log.info({ event: 'rates.back' }, 'the shared rate limits are back'),
      })
      await rates.start()
      return rates
    },
  }
}

const awayText = 'the shared rate limits are away: see replicas.redis.whenAway for what holds meanwhile'
const workersMax = 64

/** How many processes share the address and the rates; set by whoever starts them. */
export function workersOf(env: Readonly<Record<string, string | undefined>>): number {
  const text = env['PORTCULLIS_WORKERS'] ?? '1'
  const workers = Number(text)
  if (Number.isInteger(workers) && workers >= 1 && workers <= workersMax) return workers
  throw new StartError('PORTCULLIS_WORKERS is not usable', [
    `set it to a whole number from 1 to ${workersMax}, or unset it`,
  ])
}
