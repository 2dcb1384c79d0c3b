import * as z from 'zod'
import { findAgentId } from './agents.ts'
import { Client } from './client.ts'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import { engagedShape, releasedShape, watchedShape } from './kill-replies.ts'
import type { ClientOptions } from './options.ts'

export interface DrillInput {
  /** Id or name; undefined: one is made, and disabled afterwards. */
  readonly agent: string | undefined
  readonly targets: readonly string[]
  readonly rounds: number
  readonly probes: number
  readonly options: ClientOptions
}

export interface Measured {
  /** As KillService.RecordDrill takes it. */
  readonly drill: Readonly<Record<string, string | number>>
  /** Calls that were sent after engage had answered, and let in. */
  readonly admittedAfter: number
  readonly ok: boolean
}

const boundMs = 250
const pauseMs = 10
const limitedMs = 50
const settleMs = 10_000
const anything = z.unknown()
const madeAgent = z.object({ agent: z.object({ id: z.string() }) })
const madeKey = z.object({ apiKey: z.object({ id: z.string() }), key: z.string() })

interface Canary {
  readonly agentId: string
  /** Of the callers, and of those who watch. */
  readonly callKey: string
  readonly watchKey: string
  /** Takes away what was made. */
  end(): Promise<void>
}

/**
 * Stops a canary again and again while it calls every replica, and takes the time from the call that engages: until the first refusal of
 * each caller, and until each stream says that it is stopped (SPEC K5).
 */
export async function runDrill(input: DrillInput, io: Io): Promise<Measured> {
  const admin = new Client(input.options, io)
  const targets = input.targets.length === 0 ? [input.options.url] : input.targets
  const canary = await makeCanary(admin, input.agent, io)
  const round = new Round({ ...input, targets, canary, admin, io })
  try {
    for (let at = 0; at < input.rounds; at += 1) await round.run()
  } finally {
    await canary.end()
  }
  return round.measured(targets.length)
}

async function makeCanary(admin: Client, agent: string | undefined, io: Io): Promise<Canary> {
  const made = agent === undefined
  const agentId = made
    ? (await admin.call('IdentityService/CreateAgent', { name: `drill-${io.now()}` }, madeAgent)).agent.id
    : await findAgentId(admin, agent)
  const makeKey = () => admin.call('IdentityService/CreateKey', { agentId, scopes: ['tasks:read'] }, madeKey)
  const [first, second] = [await makeKey(), await makeKey()]
  return {
    agentId,
    callKey: first.key,
    watchKey: second.key,
    end: async () => {
      if (made) await admin.call('IdentityService/DisableAgent', { agentId }, anything)
      for (const { apiKey } of made ? [] : [first, second])
        await admin.call('IdentityService/RevokeKey', { keyId: apiKey.id }, anything)
    },
  }
}

type RoundParts = Omit<DrillInput, 'targets'> & {
  readonly targets: readonly (string | undefined)[]
  readonly canary: Canary
  readonly admin: Client
  readonly io: Io
}

class Round {
  readonly #parts: RoundParts
  readonly #denyMs: number[] = []
  readonly #cancelMs: number[] = []
  #admittedAfter = 0
  #killId = ''

  constructor(parts: RoundParts) {
    this.#parts = parts
  }

  async run(): Promise<void> {
    const { admin, canary, io, probes, targets } = this.#parts
    const times = { askedAt: Number.POSITIVE_INFINITY, answeredAt: Number.POSITIVE_INFINITY }
    const over = new AbortController()
    try {
      const streams = targets.map((url) => this.#listen(url, times, over.signal))
      await Promise.all(streams.map(({ begun }) => begun))
      const callers = targets.flatMap((url) =>
        Array.from({ length: probes }, () => this.#call(url, times, over.signal)),
      )
      await Promise.all(callers.map(({ begun }) => begun))
      const scope = { kind: 'KILL_SCOPE_KIND_AGENT', id: canary.agentId }
      // Should the drill be cut, it is over by itself.
      const expiresAt = new Date(io.now() + 60_000).toISOString()
      times.askedAt = io.monotonic()
      const { kill } = await admin.call('KillService/Engage', { scope, reason: 'drill', expiresAt }, engagedShape)
      times.answeredAt = io.monotonic()
      this.#killId = kill.id
      try {
        this.#denyMs.push(...(await Promise.all(callers.map(({ done }) => done))))
        this.#cancelMs.push(...(await Promise.all(streams.map(({ done }) => done))))
      } finally {
        await admin.call('KillService/Release', { killId: kill.id, reason: 'drill' }, releasedShape)
      }
    } finally {
      over.abort()
    }
  }

  measured(replicas: number): Measured {
    const us = (values: readonly number[], share: number): string => String(Math.round(quantile(values, share) * 1000))
    const drill = {
      killId: this.#killId,
      denyP50Us: us(this.#denyMs, 0.5),
      denyP99Us: us(this.#denyMs, 0.99),
      cancelP50Us: us(this.#cancelMs, 0.5),
      cancelP99Us: us(this.#cancelMs, 0.99),
      probes: this.#denyMs.length,
      replicas,
    }
    const slow = quantile(this.#denyMs, 0.99) >= boundMs || quantile(this.#cancelMs, 0.99) >= boundMs
    return { drill, admittedAfter: this.#admittedAfter, ok: !slow && this.#admittedAfter === 0 }
  }

  #client(url: string | undefined, key: string): Client {
    const { keyFile: _other, ...options } = this.#parts.options
    return new Client({ ...options, ...(url === undefined ? {} : { url }), key }, this.#parts.io)
  }

  /** Calls until it is refused, and once more after engage has answered; the time until the first refusal. */
  #call(url: string | undefined, times: Times, signal: AbortSignal): Probe {
    const { canary, io } = this.#parts
    const client = this.#client(url, canary.callKey)
    const begun = Promise.withResolvers<void>()
    const work = async (): Promise<number> => {
      let deniedMs: number | undefined
      const giveUpAt = io.monotonic() + 3 * settleMs
      while (!signal.aborted) {
        const sentAt = io.monotonic()
        const denied = await client.call('HubService/ListTasks', { pageSize: 1 }, anything).then(
          () => false,
          (error: unknown) => isKilled(error),
        )
        if (denied === undefined) {
          await io.sleep(limitedMs)
          continue
        }
        if (denied && times.askedAt < Number.POSITIVE_INFINITY) deniedMs ??= io.monotonic() - times.askedAt
        if (!denied) begun.resolve()
        if (sentAt > times.answeredAt) {
          if (!denied) this.#admittedAfter += 1
          if (deniedMs !== undefined) return deniedMs
        }
        if (io.monotonic() > giveUpAt) throw new CliError('refused', 'cli.drill', 'A replica never refused the agent.')
        await io.sleep(pauseMs)
      }
      throw new CliError('refused', 'cli.drill', 'The drill was cut.')
    }
    return probe(begun, work())
  }

  /** Hears of the kill; the time until then. */
  #listen(url: string | undefined, times: Times, signal: AbortSignal): Probe {
    const { canary, io } = this.#parts
    const client = this.#client(url, canary.watchKey)
    const begun = Promise.withResolvers<void>()
    const work = async (): Promise<number> => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(3 * settleMs)])
      // What was there before this round is said first, or nothing is: the stream lives once it has been let in.
      for await (const said of client.stream('KillService/Watch', {}, watchedShape, deadline, begun.resolve)) {
        if (said.engaged && times.askedAt < Number.POSITIVE_INFINITY && said.kill?.scope.id === canary.agentId)
          return io.monotonic() - times.askedAt
      }
      throw new CliError('refused', 'cli.drill', 'A replica never said on its stream that the agent is stopped.')
    }
    return probe(begun, work())
  }
}

interface Times {
  readonly askedAt: number
  readonly answeredAt: number
}

interface Probe {
  readonly begun: Promise<void>
  readonly done: Promise<number>
}

/** What ends its work before it has begun is why it has not begun. Either may be awaited late. */
function probe(begun: PromiseWithResolvers<void>, work: Promise<number>): Probe {
  const done = work.catch((error: unknown) => {
    begun.reject(error)
    throw error
  })
  begun.promise.catch(() => undefined)
  done.catch(() => undefined)
  return { begun: begun.promise, done }
}

// A caller that was too fast, or a server that is too busy, has not said whether the agent is stopped.
const passing = /^(?:rate\.limited$|store\.|kill\.stale$|server\.draining$|cli\.connection_lost$)/

/** Undefined where that was not told. */
function isKilled(error: unknown): boolean | undefined {
  if (error instanceof CliError && error.code === 'kill.engaged') return true
  if (error instanceof CliError && passing.test(error.code)) return undefined
  throw error
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}
