import { hash } from 'node:crypto'
import { createClient } from 'redis'
import type { Secret } from '#core'
import { tokensLeft, type Charge, type Charged } from '#gate'
import { script } from './script.ts'

interface RedisSettings {
  readonly url: Secret
  /** An answer that takes longer counts as none. */
  readonly timeoutMs: number
  /** A connection that leaves a probe unanswered for so long is given up for a new one. */
  readonly silenceMs?: number
}

// The name that Redis gives a script: not a use of SHA-1 for safety.
const scriptDigest = hash('sha1', script, 'hex')
const prefix = 'portcullis:rate'
const connectMs = 1000
const reconnectMs = [50, 1000] as const
// A machine that vanished says no goodbye: TCP alone would wait for it for a quarter of an hour.
const silenceMsDefault = 5000

/** Token buckets in Redis or Valkey: one round trip a call, whatever it charges. Throws where no answer came in time. */
export class RedisBuckets {
  readonly #settings: Required<RedisSettings>
  #client: Client
  #connected: Promise<unknown>
  #probe: { readonly answer: Promise<unknown>; readonly sinceMs: number } | undefined

  constructor(settings: RedisSettings) {
    this.#settings = { silenceMs: silenceMsDefault, ...settings }
    this.#client = makeClient(settings)
    this.#connected = connect(this.#client)
  }

  /** `nowMs` is for tests: two replicas have one clock only where Redis keeps it. */
  async take(charges: readonly Charge[], nowMs?: number): Promise<Charged> {
    const keys = charges.map(({ bucket, subject }) => `${prefix}:${bucket}:${subject}`)
    const args = charges.flatMap(({ cost, rate, take }) => [cost, rate.perSecond, rate.burst, take ? 1 : 0].map(String))
    return readReply(
      charges,
      await within(this.#settings.timeoutMs, this.#evaluate(keys, [nowMs === undefined ? '' : String(nowMs), ...args])),
    )
  }

  /** The first connection; rejects where it takes too long, and goes on trying. */
  async reached(): Promise<void> {
    await within(connectMs, this.#connected)
  }

  /**
   * Resolves where the server does in time what calls ask of it: one that is out of memory, or only a copy of another, still answers
   * a mere PING. One question at a time: a server that stands still is not asked again before it has answered.
   */
  async ping(): Promise<void> {
    const { silenceMs, timeoutMs } = this.#settings
    if (this.#probe !== undefined && performance.now() - this.#probe.sinceMs > silenceMs) this.#renew()
    this.#probe ??= this.#ask()
    await within(timeoutMs, this.#probe.answer)
  }

  close(): void {
    this.#client.destroy()
  }

  #ask() {
    const answer = this.#evaluate([`${prefix}:probe`], ['', '1', '1000', '1000', '1'])
    const probe = { answer, sinceMs: performance.now() }
    const over = (): void => {
      if (this.#probe === probe) this.#probe = undefined
    }
    answer.then(over, over)
    return probe
  }

  #renew(): void {
    this.#probe = undefined
    this.#client.destroy()
    this.#client = makeClient(this.#settings)
    this.#connected = connect(this.#client)
  }

  async #evaluate(keys: string[], args: string[]): Promise<unknown> {
    try {
      return await this.#client.evalSha(scriptDigest, { keys, arguments: args })
    } catch (error) {
      // A server that was restarted has forgotten the script.
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return this.#client.eval(script, { keys, arguments: args })
    }
  }
}

type Client = ReturnType<typeof createClient>

function makeClient({ url }: Pick<RedisSettings, 'url'>): Client {
  const client: Client = createClient({
    url: url.reveal(),
    // A call must not wait for a server that is away: it is decided without it.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: connectMs,
      reconnectStrategy: (tries) => Math.min(reconnectMs[0] * 2 ** Math.min(tries, 10), reconnectMs[1]),
    },
  })
  // Heard through the commands that fail; without a listener the event would end the process.
  client.on('error', () => undefined)
  return client
}

function connect(client: Client): Promise<unknown> {
  const connected = client.connect()
  connected.catch(() => undefined)
  return connected
}

function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    work.then(resolve, reject).finally(() => clearTimeout(late))
  })
}

function readReply(charges: readonly Charge[], reply: unknown): Charged {
  if (!Array.isArray(reply)) throw new Error('the shared buckets answered in no form that is known')
  const [first = Number.NaN, ...rest] = reply.map(Number)
  if (first === 0 && rest.length === charges.length && rest.every((each) => Number.isFinite(each)))
    return { limited: undefined, left: charges.map(({ rate }, at) => tokensLeft(rest[at] ?? 0, rate)) }
  const [limited, waitMs] = [charges[first - 1], rest[0]]
  if (limited === undefined || waitMs === undefined || !(waitMs > 0))
    throw new Error('the shared buckets answered in no form that is known')
  return { limited, waitMs }
}
