import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { loadConfig, type Config } from '#config'
import { HttpTarget, misbehave, reply } from '../../../test/fakes/http-target.ts'
import { makeLog } from '../log.ts'
import { toldOf, type Decided } from './decided.ts'
import { ExportOutage } from './export-outage.ts'
import { makeTelemetry } from './index.ts'
import { logRecordOf } from './log-record.ts'
import { Metrics } from './metrics.ts'
import { resourceOf, workerOf } from './resource.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

async function collector(always = reply(200, {})): Promise<HttpTarget> {
  const target = await HttpTarget.start(always)
  cleanups.push(() => target.stop())
  return target
}

function configFor(endpoint: string, headersFile?: string): Config {
  const file = headersFile === undefined ? {} : { PORTCULLIS__TELEMETRY__OTLP__HEADERS_FILE: headersFile }
  const env = {
    PORTCULLIS__TELEMETRY__OTLP__ENDPOINT: endpoint,
    PORTCULLIS__TELEMETRY__OTLP__TIMEOUT_MS: '500',
    ...file,
  }
  const loaded = loadConfig({ mode: 'up', env })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
  return loaded.config
}

/** A log of the product whose lines do not reach the terminal of the test. */
function quietLog(level: 'debug' | 'info') {
  const written: string[] = []
  const stderr = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text))
    return true
  })
  cleanups.push(() => stderr.mockRestore())
  return { log: makeLog({ level, format: 'json' }), written }
}

const call = { method: { path: '/portcullis.v1.HubService/StartRun' }, remote: '192.0.2.1', requestId: 'request-1' }
const trace = '0af7651916cd43dd8448eb211c80319c'
const decided: Decided = {
  ...toldOf({ ...call, traceparent: `00-${trace}-b7ad6b7169203331-01` }, undefined, 9, 'auth.credential_missing'),
  gateMs: 1,
  storeFromMs: 3,
}

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
}

const bodiesOf = (target: HttpTarget, path: string) =>
  target.received.filter(({ url }) => url === path).map(({ body }) => body.toString())

function spansOf(target: HttpTarget): readonly Span[] {
  interface Export {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[]
  }
  return bodiesOf(target, '/v1/traces').flatMap((body) =>
    (JSON.parse(body) as Export).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  )
}

describe('an OpenTelemetry collector', () => {
  it('O4: gets every line of the log at info and above, masked as the log is, and audit lines once', async () => {
    const target = await collector()
    const { log, written } = quietLog('debug')
    const telemetry = makeTelemetry(configFor(target.url), log)
    log.debug({ event: 'too.fine' }, 'not for a collector')
    log.info({ event: 'something.happened', mail: 'jane.doe@example.com', many: { a: 1 } }, 'it says')
    log.child({ part: 'http' }).error({ err: new Error('it broke') }, 'a fault')
    telemetry.told(decided)
    await telemetry.close()
    const text = bodiesOf(target, '/v1/logs').join()
    expect(text).toContain('something.happened')
    expect(text).toContain('exception.message')
    expect(text).toContain('it broke')
    expect(text).not.toContain('too.fine')
    expect(text).not.toContain('jane.doe')
    expect(text.split('portcullis authorization audit')).toHaveLength(2)
    // In the field of the data model, and as an attribute for those who only search those.
    expect(text.split(trace)).toHaveLength(3)
    expect(written.join()).toContain('too.fine')
  })

  it('O4: a call has spans for the gate and the store inside of its own, in the trace of its caller', async () => {
    const target = await collector()
    const telemetry = makeTelemetry(configFor(target.url), quietLog('info').log)
    telemetry.told(decided)
    await telemetry.close()
    const spans = new Map(spansOf(target).map((span) => [span.name, span]))
    const [whole, gate, store] = ['portcullis.v1.HubService/StartRun', 'portcullis.gate', 'portcullis.store'].map(
      (name) => spans.get(name),
    )
    expect([...spans.values()].map(({ traceId }) => traceId)).toEqual([trace, trace, trace])
    expect(whole?.parentSpanId).toBe('b7ad6b7169203331')
    expect([gate?.parentSpanId, store?.parentSpanId]).toEqual([whole?.spanId, whole?.spanId])
    const at = (time?: string) => Number((BigInt(time ?? 0) - BigInt(whole?.startTimeUnixNano ?? 0)) / 100_000n) / 10
    expect([at(gate?.startTimeUnixNano), at(gate?.endTimeUnixNano)]).toEqual([0, 1])
    expect([at(store?.startTimeUnixNano), at(store?.endTimeUnixNano)]).toEqual([3, 9])
  })

  it('O4: the file with its headers is read again when it has changed', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-otlp-'))
    cleanups.push(() => rm(dir, { recursive: true }))
    const file = join(dir, 'headers')
    writeFileSync(file, 'x-key: first-of-the-test\n', { mode: 0o600 })
    const target = await collector()
    const telemetry = makeTelemetry(configFor(target.url, file), quietLog('info').log)
    writeFileSync(file, 'x-key: the-second-of-the-test\n')
    telemetry.told(decided)
    await telemetry.close()
    expect(new Set(target.received.map(({ headers }) => headers['x-key']))).toEqual(new Set(['the-second-of-the-test']))
  })

  it.each([
    ['is away', undefined],
    ['hangs', misbehave.hang],
    ['lies without end', misbehave.endless],
    ['refuses', reply(401, 'who are you?')],
  ])('O4: one that %s is said once, at WARN, and no caller hears of it', async (_what, answer) => {
    const target = await collector(answer)
    const { url } = target
    if (answer === undefined) await target.stop()
    const { log, written } = quietLog('info')
    const telemetry = makeTelemetry(configFor(url), log)
    telemetry.told(decided)
    log.info('a line')
    await telemetry.close()
    const warned = written.filter((line) => line.includes('"level":40'))
    expect(warned).toHaveLength(1)
    expect(warned.every((line) => line.includes('telemetry.not_exported') && line.includes('telemetry.otlp'))).toBe(
      true,
    )
  })

  it('O4: an outage ends when every signal that failed got through, and the next one is said again', () => {
    const said: string[] = []
    const log = {
      warn: (fields: { signal: string }) => said.push(`warn ${fields.signal}`),
      info: () => said.push('info'),
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as much of a log as it uses
    const outage = new ExportOutage(log as never)
    const results: { code: number; error?: Error }[] = []
    const make = () => ({
      export: (_: string, done: (result: { code: number; error?: Error }) => void) =>
        done(results.shift() ?? { code: 0 }),
    })
    const [traces, logs] = [outage.watch('traces', make()), outage.watch('logs', make())]
    const codes: number[] = []
    const send = (to: typeof traces, result: { code: number; error?: Error }) => {
      results.push(result)
      to.export('items', ({ code }) => codes.push(code))
    }
    const failed = { code: 1, error: new Error('connect ECONNREFUSED') }
    for (const to of [traces, logs, traces, traces]) send(to, failed)
    send(traces, { code: 0 })
    expect(said).toEqual(['warn traces'])
    send(logs, { code: 0 })
    send(logs, failed)
    expect(said).toEqual(['warn traces', 'info', 'warn logs'])
    expect(codes).toEqual([1, 1, 1, 1, 0, 0, 1])
  })
})

describe('lines of the log', () => {
  it('O4: keep their level, their time and their fields', () => {
    expect(
      logRecordOf('{"level":40,"time":1795286729000,"event":"x.y","n":3,"ok":true,"no":null,"list":[1],"msg":"so"}\n'),
    ).toEqual({
      timestamp: 1_795_286_729_000,
      severityNumber: 13,
      severityText: 'WARN',
      body: 'so',
      attributes: { event: 'x.y', n: 3, ok: true, list: '[1]' },
    })
    expect(logRecordOf('{"level":20,"time":1,"msg":"fine"}\n')).toBeUndefined()
    expect(logRecordOf('{"level":60,"time":1}\n')).toMatchObject({ severityText: 'FATAL', body: '' })
  })
})

describe('several workers', () => {
  it('O4: every metric says of which worker it is, and has no such label where there is one process', async () => {
    const worker = workerOf({ PORTCULLIS_WORKERS: '3', PORTCULLIS_WORKER: '2' })
    const metrics = new Metrics([], resourceOf(worker))
    metrics.decided(decided)
    const text = await metrics.prometheus()
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(series.length).toBeGreaterThan(5)
    expect(series.filter((line) => !line.includes('worker="2"'))).toEqual([])
    await metrics.close()
    const alone = new Metrics([], resourceOf(workerOf({ PORTCULLIS_WORKER: '0' })))
    alone.decided(decided)
    expect(await alone.prometheus()).not.toContain('worker=')
    await alone.close()
  })
})
