import { jetstream, jetstreamManager, DeliverPolicy } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { parseEntry, verifyChain } from '#ledger'
import { startInstance, type TestInstance } from '../harness/instance.ts'
import { TestNats } from '../harness/nats.ts'
import { entriesOf, startReplica, type Replica } from '../harness/replica.ts'
import { TestRsyslog } from '../harness/rsyslog.ts'

// A minute shows more, and takes one.
const outageSeconds = Number(process.env['SINK_OUTAGE_SECONDS'] ?? 2)

let instance: TestInstance
let nats: TestNats
let rsyslog: TestRsyslog
beforeAll(async () => {
  ;[instance, nats, rsyslog] = await Promise.all([
    startInstance(),
    TestNats.start({ token: 'for-tests' }),
    TestRsyslog.start(),
  ])
})
afterAll(async () => {
  await instance.stop()
  await nats.remove()
  await rsyslog.remove()
})

/** What a sink holds of a log, in order of its first arrival; the same entry twice is kept once, two of one seq are not. */
function inOrder(texts: readonly string[], log: string): readonly string[] {
  const bySeq = new Map<number, string>()
  for (const text of texts) {
    const parsed = parseEntry(Buffer.from(text))
    if (!parsed.ok) throw new Error(`a sink holds what is no entry: ${parsed.why}: ${text}`)
    if (parsed.entry.log !== log) continue
    expect(bySeq.get(parsed.entry.seq) ?? text).toBe(text)
    bySeq.set(parsed.entry.seq, text)
  }
  return [...bySeq].toSorted(([a], [b]) => a - b).map(([, text]) => text)
}

async function inStream(stream: string): Promise<readonly { readonly subject: string; readonly text: string }[]> {
  const connection = await connect({ servers: `127.0.0.1:${nats.port}`, token: 'for-tests' })
  try {
    const manager = await jetstreamManager(connection)
    const { state } = await manager.streams.info(stream)
    const consumer = await jetstream(connection).consumers.get(stream, { deliver_policy: DeliverPolicy.All })
    const found: { subject: string; text: string }[] = []
    for (let left = state.messages; left > 0;) {
      for await (const message of await consumer.fetch({ max_messages: Math.min(left, 500), expires: 10_000 })) {
        found.push({ subject: message.subject, text: message.string() })
        left -= 1
      }
    }
    return found
  } finally {
    await connection.close()
  }
}

/** Calls all the time, eight at once, until told to stop: how each ended, and how long it took. */
function load(post: Replica['post'], key: string) {
  const statuses = new Map<number, number>()
  const times: number[] = []
  const end = new AbortController()
  const callers = Array.from({ length: 8 }, async () => {
    while (!end.signal.aborted) {
      const begun = performance.now()
      const status = await post('HubService/StartRun', key, { workflow: 'load' })
      times.push(performance.now() - begun)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  return {
    times,
    end: async () => {
      end.abort()
      await Promise.all(callers)
      return statuses
    },
  }
}

const percentile = (times: readonly number[], part: number): string =>
  `${(times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? 0).toFixed(1)} ms`

describe('sinks with real peers', () => {
  it('L9: NATS and syslog are killed under load: calls go on, lag shows, and everything arrives, nothing twice in what verifies', async () => {
    const { key } = await instance.agent('loader', ['telemetry:write'])
    await writeFile(join(instance.dir, 'nats.token'), 'for-tests', { mode: 0o600 })
    const tls = {
      caFile: join(rsyslog.dir, 'ca.pem'),
      certFile: join(rsyslog.dir, 'client.pem'),
      keyFile: join(rsyslog.dir, 'client.key'),
    }
    const { post, lag, ...server } = await startReplica(instance, [
      { kind: 'file', dir: 'archive' },
      {
        kind: 'nats',
        servers: [`nats://127.0.0.1:${nats.port}`],
        stream: 'LEDGER',
        createStream: true,
        tokenFile: 'nats.token',
      },
      { kind: 'syslog', host: '127.0.0.1', port: rsyslog.port, ...tls },
    ])
    onTestFinished(() => server.stop())
    const drained = { timeout: 60_000, interval: 200 }
    for (const sink of ['file', 'nats', 'syslog']) await expect.poll(() => lag(sink), drained).toBe(0)
    const running = load(post, key)
    await delay(2000)
    const calm = running.times.length
    await Promise.all([nats.end(), rsyslog.end()])
    await expect
      .poll(async () => Math.min((await lag('nats')) ?? 0, (await lag('syslog')) ?? 0), drained)
      .toBeGreaterThan(100)
    // A sink that is there catches up between two of its looks.
    await expect.poll(async () => ((await lag('nats')) ?? 0) - ((await lag('file')) ?? 0), drained).toBeGreaterThan(0)
    await delay(outageSeconds * 1000)
    const [before, during] = [running.times.slice(0, calm), running.times.slice(calm)]
    await Promise.all([nats.start(), rsyslog.start()])
    const statuses = await running.end()
    expect([...statuses.keys()]).toEqual([200])
    for (const sink of ['file', 'nats', 'syslog']) await expect.poll(() => lag(sink), drained).toBe(0)
    process.stderr.write(
      `p50 and p99 with the sinks ${percentile(before, 0.5)} ${percentile(before, 0.99)} (${before.length} calls), without two of them ${percentile(during, 0.5)} ${percentile(during, 0.99)} (${during.length} calls)\n`,
    )

    const entries = await entriesOf(instance, 'main')
    expect(entries.length).toBeGreaterThan(200)
    const file = (await readFile(join(instance.dir, 'archive', 'main.ndjson'), 'utf8')).split('\n')
    expect(file.slice(0, entries.length)).toEqual(entries)
    const stream = await inStream('LEDGER')
    expect(new Set(stream.map(({ subject }) => subject))).toEqual(
      new Set(['portcullis.ledger.entries.main', 'portcullis.ledger.entries.system']),
    )
    expect(
      inOrder(
        stream.map(({ text }) => text),
        'main',
      ).slice(0, entries.length),
    ).toEqual(entries)
    // Duplicates of what was stored and not acknowledged are kept out by their ids.
    expect(new Set(stream.map(({ text }) => text)).size).toBe(stream.length)
    await expect
      .poll(async () => inOrder(await rsyslog.messages('entries'), 'main').length, drained)
      .toBeGreaterThanOrEqual(entries.length)
    const received = inOrder(await rsyslog.messages('entries'), 'main')
    const items = received.map((text, seq) => ({ seq, entry: Buffer.from(text) }))
    expect(await verifyChain(items, { log: 'main' })).toMatchObject({ chain_valid: true })
    expect(received.slice(0, entries.length)).toEqual(entries)
  })
})
