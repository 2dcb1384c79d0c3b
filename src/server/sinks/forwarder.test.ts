import { describe, expect, it, onTestFinished } from 'vitest'
import type { Sink, SinkBatch, SinkEntry, SinkNotice } from '#ledger'
import type { LogBehind } from '#store'
import { Forwarder, forwarderDefaults, type ForwarderParts } from './forwarder.ts'

const perBatch = 4

/** Logs in memory, as the store has them, and a sink that does as it is told. */
class World {
  readonly logs = new Map<string, number>()
  readonly kept = new Map<string, number>()
  readonly begun = new Map<string, number>()
  readonly cursors = new Map<string, number>()
  readonly sent: SinkBatch[] = []
  readonly notices: SinkNotice[] = []
  readonly told: string[] = []
  readonly waits: number[] = []
  readonly counts = { sent: 0, failed: 0 }
  mine = true
  now = 0
  storeAway = false
  /** Rejects, or hangs, before a batch counts as sent. */
  trouble: (batch: SinkBatch, signal: AbortSignal) => Promise<void> = async () => undefined
  readonly forwarder: Forwarder

  constructor(more: Partial<Sink> = {}, parts: Partial<ForwarderParts> = {}) {
    const sink: Sink = {
      name: 'archive',
      send: async (batch, signal) => {
        await this.trouble(batch, signal)
        this.sent.push(batch)
      },
      publish: async () => undefined,
      close: async () => undefined,
      ...more,
    }
    this.forwarder = new Forwarder({
      ...forwarderDefaults,
      sink,
      cursors: {
        has: () => this.mine,
        entries: async (log, from) => this.#entries(log, from),
        advance: async (_, log, next) => void this.cursors.set(log, Math.max(next, this.cursors.get(log) ?? 0)),
      },
      host: 'ledger.example',
      notice: (notice) => this.notices.push(notice),
      told: {
        warn: (fields: object, text?: string) => void this.told.push(`warn ${text}: ${JSON.stringify(fields)}`),
        info: (fields: object, text?: string) => void this.told.push(`info ${text}: ${JSON.stringify(fields)}`),
      },
      count: (result, entries) => {
        this.counts[result] += result === 'sent' ? entries : 1
      },
      random: () => 0.5,
      now: () => this.now,
      wait: async (ms) => {
        this.waits.push(ms)
        this.now += ms
        await new Promise((resolve) => setImmediate(resolve))
      },
      ...parts,
    })
    onTestFinished(() => this.forwarder.close())
  }

  /** One look, as every half second. */
  look(): void {
    const found: LogBehind[] = [...this.logs].flatMap(([log, size]) => {
      const isNew = !this.begun.has(log)
      const begun = this.begun.get(log) ?? this.kept.get(log) ?? 0
      const cursor = this.cursors.get(log) ?? begun
      this.begun.set(log, begun)
      return size > cursor ? [{ sink: 'archive', log, isNew, begun, cursor, size, waitingSeconds: 3 }] : []
    })
    this.forwarder.look(found, this.mine)
  }

  /** Looks until nothing waits. */
  async drain(): Promise<void> {
    await expect
      .poll(
        () => {
          this.look()
          return this.forwarder.lag.entries
        },
        { interval: 1 },
      )
      .toBe(0)
  }

  seqs(log: string): readonly number[] {
    return this.sent.filter((batch) => batch.log === log).flatMap(({ entries }) => entries.map(({ seq }) => seq))
  }

  #entries(log: string, from: number): readonly SinkEntry[] {
    if (this.storeAway) throw new Error('connection refused')
    const begin = Math.max(from, this.kept.get(log) ?? 0)
    const count = Math.max(0, Math.min(perBatch, (this.logs.get(log) ?? 0) - begin))
    return Array.from({ length: count }, (_, at) => ({
      seq: begin + at,
      entry: Buffer.from('{}'),
      leaf: Buffer.alloc(32),
    }))
  }
}

const upTo = (count: number, from = 0): readonly number[] => Array.from({ length: count - from }, (_, at) => from + at)

describe('the forwarder', () => {
  it('L9: sends every entry of every log in order, and several logs in turn', async () => {
    const world = new World()
    world.logs.set('busy', 20).set('quiet', 3).set('other', 6)
    await world.drain()
    for (const [log, size] of world.logs) expect(world.seqs(log)).toEqual(upTo(size))
    expect(world.sent.slice(0, 3).map(({ log, origin }) => [log, origin])).toEqual([
      ['busy', 'ledger.example/busy'],
      ['quiet', 'ledger.example/quiet'],
      ['other', 'ledger.example/other'],
    ])
    expect(world.cursors).toEqual(world.logs)
    expect(world.counts).toEqual({ sent: 29, failed: 0 })
  })

  it('L9: a sink that is away is tried after 1, 2, 5 and 30 s, said once, and loses nothing', async () => {
    const world = new World()
    world.logs.set('main', 10)
    let failures = 6
    world.trouble = async () => {
      failures -= 1
      if (failures >= 0) throw new Error('connection refused')
    }
    await world.drain()
    expect(world.waits).toEqual([1000, 2000, 5000, 30_000, 30_000, 30_000])
    expect(world.seqs('main')).toEqual(upTo(10))
    expect(world.told).toHaveLength(2)
    expect(world.told[0]).toContain('warn a sink of the ledger does not take entries')
    expect(world.told[0]).toContain('"why":"connection refused"')
    expect(world.told[1]).toContain('info a sink of the ledger takes entries again')
    expect(world.counts).toEqual({ sent: 10, failed: 6 })
  })

  it('L9: the waits are spread, and never shorter than the sink asked for', async () => {
    const [least, most] = [new World({}, { random: () => 0 }), new World({}, { random: () => 1 })]
    for (const world of [least, most]) {
      world.logs.set('main', 1)
      let failed = false
      world.trouble = async () => {
        if (failed) return
        failed = true
        throw new Error('no')
      }
      await world.drain()
    }
    expect([least.waits, most.waits]).toEqual([[800], [1200]])
    const asked = new World()
    asked.logs.set('main', 1)
    let failed = false
    asked.trouble = async () => {
      if (failed) return
      failed = true
      throw Object.assign(new Error('429'), { retryAfterMs: 7000 })
    }
    await asked.drain()
    expect(asked.waits).toEqual([7000])
  })

  it('L9: one log that the sink does not take holds up no other', async () => {
    const world = new World()
    world.logs.set('bad', 4).set('good', 30)
    world.trouble = async ({ log }) => {
      if (log === 'bad') throw new Error('this one has another past')
    }
    world.look()
    await expect.poll(() => world.seqs('good').length).toBe(30)
    await expect
      .poll(
        () => {
          world.now += 1000
          world.look()
          return world.counts.failed
        },
        { interval: 1 },
      )
      .toBeGreaterThan(3)
    // Once, although the other log goes through in between.
    expect(world.told.map((text) => text.slice(0, 4))).toEqual(['warn'])
    expect(world.forwarder.lag).toEqual({ entries: 4, seconds: 3 })
    world.trouble = async () => undefined
    world.now += 60_000
    await world.drain()
    expect(world.told.map((text) => text.slice(0, 4))).toEqual(['warn', 'info'])
  })

  it('L9: a sink that hangs is given up after its deadline, and not asked again before it has let go', async () => {
    const world = new World({}, { attemptMs: 30 })
    world.logs.set('main', 2)
    const letGo = Promise.withResolvers<void>()
    let calls = 0
    world.trouble = async () => {
      calls += 1
      if (calls === 1) await letGo.promise
    }
    world.look()
    await expect.poll(() => world.told.length).toBe(1)
    expect(world.told[0]).toContain('no answer within 0.03 s')
    world.look()
    expect(calls).toBe(1)
    letGo.resolve()
    await world.drain()
    expect(calls).toBe(2)
    // At least once: the first one went through after all.
    expect(world.seqs('main')).toEqual([0, 1, 0, 1])
  })

  it('L9: a store that is away is no fault of the sink', async () => {
    const world = new World()
    world.logs.set('main', 5)
    world.storeAway = true
    world.look()
    await expect.poll(() => world.forwarder.lag.entries).toBe(5)
    expect([world.told, world.waits]).toEqual([[], []])
    world.storeAway = false
    await world.drain()
    expect(world.seqs('main')).toEqual(upTo(5))
  })

  it('L9: a process that has not got the sink sends nothing, and knows the lag all the same', async () => {
    const world = new World()
    world.mine = false
    world.logs.set('main', 5)
    world.look()
    expect(world.forwarder.lag).toEqual({ entries: 5, seconds: 3 })
    world.cursors.set('main', 3)
    world.look()
    expect(world.forwarder.lag.entries).toBe(2)
    expect(world.sent).toEqual([])
    world.mine = true
    await world.drain()
    expect(world.seqs('main')).toEqual([3, 4])
  })

  it('L9: it stops between two batches when another process has got the sink', async () => {
    const world = new World()
    world.logs.set('main', 20)
    world.trouble = async () => {
      world.mine = false
    }
    world.look()
    await expect.poll(() => world.cursors.get('main')).toBe(perBatch)
    await world.forwarder.close()
    expect(world.seqs('main')).toEqual(upTo(perBatch))
  })

  it('L9: stopping lets the batch on its way end, and sends no other', async () => {
    const world = new World()
    world.logs.set('main', 20)
    const answer = Promise.withResolvers<void>()
    world.trouble = () => answer.promise
    world.look()
    const closed = world.forwarder.close()
    answer.resolve()
    await closed
    expect(world.cursors.get('main')).toBe(perBatch)
    world.look()
    expect(world.seqs('main')).toEqual(upTo(perBatch))
  })

  it('L9: a new sink begins with the first entry that is kept; what one that lagged has missed is said once', async () => {
    const world = new World()
    world.logs.set('main', 10)
    world.kept.set('main', 4)
    await world.drain()
    expect([world.seqs('main'), world.notices]).toEqual([upTo(10, 4), []])
    const lagging = new World()
    lagging.logs.set('main', 10)
    lagging.kept.set('main', 6)
    lagging.begun.set('main', 0)
    lagging.cursors.set('main', 2)
    await lagging.drain()
    expect(lagging.seqs('main')).toEqual(upTo(10, 6))
    expect(lagging.notices).toMatchObject([
      { what: 'missing', log: 'main', detail: expect.stringContaining('entries 2 to 5') },
    ])
  })

  it('L9: a sink that knows better goes on where it says, ahead of its cursor or behind it', async () => {
    let next = 7
    const ahead = new World({ next: async () => next })
    ahead.logs.set('main', 10)
    ahead.cursors.set('main', 5)
    ahead.trouble = async ({ entries }) => {
      next += entries.length
    }
    await ahead.drain()
    expect([ahead.seqs('main'), ahead.notices]).toEqual([[7, 8, 9], []])
    let held = 0
    const behind = new World({ next: async () => held })
    behind.logs.set('main', 10)
    behind.cursors.set('main', 9)
    behind.trouble = async ({ entries }) => {
      held += entries.length
    }
    await behind.drain()
    expect(behind.seqs('main')).toEqual(upTo(10))
    expect(behind.notices).toMatchObject([
      { what: 'sent_again', detail: expect.stringContaining('up to 8 and goes on with 0') },
    ])
  })

  it('L8: a sink that holds more than the database is told as what it is', async () => {
    const world = new World({ next: async () => 50 })
    world.logs.set('main', 10)
    world.look()
    await expect.poll(() => world.told.length).toBe(1)
    expect(world.told[0]).toContain('the database is older than the sink')
    expect(world.sent).toEqual([])
    await world.forwarder.close()
  })
})
