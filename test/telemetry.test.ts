import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pino } from 'pino'
import { GetHealthRequestSchema } from '@portcullis/contract'
import { loadConfig } from '#config'
import { startInstance as serveFrom } from '../src/server/instance.ts'
import { grpcClient } from './harness/grpc.ts'
import { call, freePorts, startInstance, type TestInstance } from './harness/instance.ts'
import { TestDatabase } from './harness/postgres.ts'

/** Takes what an OpenTelemetry collector takes, and keeps it by path. */
async function collector(): Promise<{ url: string; bodies: Map<string, string[]>; server: Server }> {
  const bodies = new Map<string, string[]>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? ''
      bodies.set(path, [...(bodies.get(path) ?? []), Buffer.concat(chunks).toString()])
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies, server }
}

const series = (text: string, name: string): readonly { labels: Readonly<Record<string, string>>; value: number }[] =>
  [...text.matchAll(new RegExp(`^${name}\\{(.*)\\} (\\d+)$`, 'gm'))].map(([, labels = '', value]) => ({
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', of = '']) => [key, of])),
    value: Number(value),
  }))

const sum = <T>(all: readonly T[], key: (one: T) => string, value: (one: T) => number): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(all, key)]
      .map(([name, group]) => [name, group.reduce((total, one) => total + value(one), 0)] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )

describe('what a running instance tells', () => {
  let instance: TestInstance
  beforeAll(async () => {
    instance = await startInstance()
  })
  afterAll(() => instance.stop())

  const scrape = async (): Promise<string> => {
    const reply = await fetch(`http://${instance.running.ready.management}/metrics`)
    expect([reply.status, reply.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    return reply.text()
  }

  it('O4: decisions by outcome and code add up to the entries of the ledger and the published exceptions', async () => {
    const agent = await instance.agent('worker', ['telemetry:write'])
    const as = { key: agent.key }
    const started = await instance.call('HubService/StartRun', { workflow: 'w' }, as)
    const { runId } = { runId: started.body.run.id as string }
    await instance.call('HubService/FinishRun', { runId, status: 'completed' }, as)
    await instance.call('HubService/FinishRun', { runId, status: 'failed' }, as)
    await instance.call('HubService/GetRun', { runId }, as)
    await instance.call('HubService/StartRun', { workflow: '' }, as)
    await instance.call('HubService/StartRun', { nonsense: 1 }, as)
    await instance.call('IdentityService/CreateAgent', { name: 'not-allowed' }, as)
    await instance.call('HubService/StartRun', { workflow: 'w' }, { key: undefined })
    await instance.call('HubService/StartRun', { workflow: 'w' }, { key: 'wrong' })
    await instance.call('HubService/GetHealth', {}, { key: undefined })
    // Two with the one over gRPC: a third would be counted, and in the ledger after its window only (SPEC L14).
    await fetch(`${instance.url}/${encodeURIComponent('evil"method\\2')}`)
    const grpc = grpcClient(instance.grpc)
    await grpc.call('/portcullis.v1.HubService/evil-method-3', new Uint8Array())
    await grpc.call('/portcullis.v1.HubService/StartRun', Buffer.from('not protobuf'), {
      authorization: `Bearer ${agent.key}`,
    })
    await grpc.call(
      '/portcullis.v1.HubService/GetHealth',
      toBinary(GetHealthRequestSchema, create(GetHealthRequestSchema)),
    )
    grpc.close()

    const text = await scrape()
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ entry: Buffer }>('select entry from audits.entries')
    const entries = rows
      .map(({ entry }) => (JSON.parse(entry.toString()) as { body: Entry }).body)
      .filter(({ kind }) => kind === 'decision' || kind === 'denials.counted')
    const recorded = sum(
      entries,
      ({ outcome, code }) => `${outcome} ${code ?? '(none)'}`,
      ({ kind, args }) => (kind === 'decision' ? 1 : (args?.count ?? 1)),
    )
    const unrecorded = '/portcullis.v1.HubService/GetHealth'
    const decisions = series(text, 'portcullis_gate_decisions_total')
    const counted = sum(
      decisions.filter(({ labels }) => labels['method'] !== unrecorded),
      ({ labels }) => `${labels['outcome']} ${labels['code']}`,
      ({ value }) => value,
    )
    expect(counted).toEqual(recorded)
    expect(Object.keys(counted).length, JSON.stringify(counted)).toBeGreaterThan(6)
    expect(decisions.find(({ labels }) => labels['method'] === unrecorded)?.value).toBe(2)
    const audits = series(text, 'portcullis_authorization_audit_total').map(({ value }) => value)
    expect(audits.reduce((a, b) => a + b, 0)).toBe(decisions.reduce((total, { value }) => total + value, 0))
    expect(text).not.toContain('evil')
    expect(text).not.toContain(agent.id)
  })

  it('O14: queue depth, batch size and commit time are metrics, and so is the free space', async () => {
    const text = await scrape()
    expect(text).toMatch(/^portcullis_writer_queue_depth \d+$/m)
    expect(text).toMatch(/^portcullis_writer_batch_size_count [1-9]\d*$/m)
    expect(text).toMatch(/^portcullis_writer_commit_duration_seconds_count [1-9]\d*$/m)
    expect(text).toMatch(/^portcullis_ledger_append_duration_seconds_count [1-9]\d*$/m)
    expect(text).toMatch(/^portcullis_ledger_entries_total [1-9]\d*$/m)
    expect(text).toMatch(/^portcullis_store_free_bytes [1-9]\d*$/m)
  })

  it('O15: the clock of the database is compared with that of the process', async () => {
    const skew = /^portcullis_clock_skew_seconds (\S+)$/m.exec(await scrape())?.[1]
    expect(Math.abs(Number(skew))).toBeLessThan(30)
  })
})

interface Entry {
  readonly kind: string
  readonly outcome: string
  readonly code?: string
  readonly args?: { readonly count?: number }
}

describe('an OpenTelemetry collector', () => {
  it('O4: gets a span for each call on either door, in the trace of its caller; J3: and its audit line', async () => {
    const { url, bodies, server } = await collector()
    const instance = await startInstance({ PORTCULLIS__TELEMETRY__OTLP__ENDPOINT: url })
    const [overHttp, overGrpc] = ['0af7651916cd43dd8448eb211c80319c', '1bf7651916cd43dd8448eb211c80319d']
    try {
      const agent = await instance.agent('traced', ['telemetry:write'])
      await instance.call(
        'HubService/StartRun',
        { workflow: 'w' },
        {
          key: agent.key,
          headers: { traceparent: `00-${overHttp}-b7ad6b7169203331-01`, 'x-request-id': 'request-traced-1' },
        },
      )
      const grpc = grpcClient(instance.grpc)
      await grpc.call('/portcullis.v1.HubService/StartRun', new Uint8Array(), {
        traceparent: `00-${overGrpc}-b7ad6b7169203331-01`,
      })
      grpc.close()
      expect(bodies.size).toBeLessThan(4)
      await instance.stop()
      const spans = spansOf(bodies.get('/v1/traces') ?? [])
      const of = (traceId: string) => spans.filter((span) => span.traceId === traceId)
      const whole = of(overHttp).find(({ name }) => name === 'portcullis.v1.HubService/StartRun')
      expect(whole).toMatchObject({ parentSpanId: 'b7ad6b7169203331', kind: 2 })
      // What the call did inside of it.
      const inner = of(overHttp).filter((span) => span !== whole)
      expect(inner.map(({ name }) => name).toSorted()).toEqual(['portcullis.gate', 'portcullis.store'])
      expect(inner.map(({ parentSpanId }) => parentSpanId)).toEqual([whole?.spanId, whole?.spanId])
      // The gate refused this one: it never got to the store.
      const names = of(overGrpc).map(({ name }) => name)
      expect(names.toSorted()).toEqual(['portcullis.gate', 'portcullis.v1.HubService/StartRun'])
      const logs = (bodies.get('/v1/logs') ?? []).join()
      expect(logs).toContain('request-traced-1')
      expect(logs).toContain(overHttp)
      expect(logs).toContain('(anonymous)')
      expect(logs).not.toContain(agent.key)
      expect((bodies.get('/v1/metrics') ?? []).join()).toContain('portcullis_gate_decisions_total')
    } finally {
      server.close()
    }
  })
})

interface SpanJson {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
}

function spansOf(bodies: readonly string[]): readonly SpanJson[] {
  interface Export {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly SpanJson[] }[] }[]
  }
  return bodies.flatMap((body) =>
    (JSON.parse(body) as Export).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  )
}

describe('forwarders and the debug listener of a whole instance', () => {
  it('O4: events reach their target with the token of its file, and a target that hangs delays no call', async () => {
    const bodies: string[] = []
    const tokens = new Set<string | undefined>()
    const good = createServer((request, response) => {
      tokens.add(request.headers.authorization)
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        bodies.push(Buffer.concat(chunks).toString())
        response.writeHead(202).end()
      })
    })
    const hangs = createServer(() => undefined)
    for (const server of [good, hangs]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const [to, nowhere] = [good, hangs].map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`)
    const database = await TestDatabase.start()
    const dir = await mkdtemp(join(tmpdir(), 'portcullis-forward-'))
    await writeFile(join(dir, 'token'), 'token-of-the-target\n', { mode: 0o600 })
    const loaded = loadConfig({
      mode: 'up',
      env: freePorts,
      file: join(dir, 'portcullis.yaml'),
      text: [
        'debug: { port: 0 }',
        'telemetry:',
        '  spillDir: spill',
        `  forwarders: [{ kind: http, url: "${nowhere}" }, { kind: http, url: "${to}", tokenFile: token }]`,
      ].join('\n'),
    })
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const lines: string[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
    const instance = await serveFrom(loaded.config, database.settings(), log)
    try {
      const answer = await call(
        `http://${instance.http}`,
        'HubService/StartRun',
        {},
        { headers: { 'x-request-id': 'request-forwarded' } },
      )
      expect(answer.status).toBe(401)
      const debug = lines.map((line) => JSON.parse(line) as { event?: string; address?: string })
      const { address } = debug.find(({ event }) => event === 'debug.listening') ?? {}
      expect((await fetch(`http://${address}/debug/pprof/stats`)).status).toBe(200)
    } finally {
      await instance.stop()
      await database.stop()
    }
    expect(bodies.join()).toContain('request-forwarded')
    expect(bodies.join()).toContain('(anonymous)')
    expect([...tokens]).toEqual(['Bearer token-of-the-target'])
    // What the other one did not take waits on disk.
    const spilled = await readdir(join(dir, 'spill'))
    expect(spilled).toHaveLength(1)
    expect(await readFile(join(dir, 'spill', String(spilled[0])), 'utf8')).toContain('request-forwarded')
    hangs.closeAllConnections()
    good.close()
    hangs.close()
    await rm(dir, { recursive: true })
  })
})
