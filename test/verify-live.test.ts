import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttp, type RequestListener } from 'node:http'
import { createServer as createTcp, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildReport, controls, exitCodeOf, jsonReport, openConfig, openLive, runChecks } from '#checks'
import { startInstance, type TestInstance } from './harness/instance.ts'

/** Reflection off and loopback, and the planted twin: reflection on and bound to all interfaces. */
let hardened: TestInstance
let twin: TestInstance
const servers: Server[] = []

beforeAll(async () => {
  hardened = await startInstance()
  twin = await startInstance({
    PORTCULLIS__REFLECTION__ENABLED: 'true',
    PORTCULLIS__LISTEN__GRPC: '0.0.0.0:0',
  })
})
afterAll(async () => {
  for (const server of servers) server.close()
  await Promise.all([hardened.stop(), twin.stop()])
})

interface Asked {
  readonly url: string
  readonly grpc?: string
  readonly config?: string
  readonly vantage?: 'host' | 'network' | 'outside'
}

/** As `verify --target URL [--grpc ADDRESS] [--config FILE] --json` has it. */
async function verify({ url, grpc, config, vantage }: Asked) {
  const allowed = new Set<never>()
  const live = await openLive({ url, grpc, vantage, allowed, timeoutMs: 1000 })
  const settings = config === undefined ? {} : { config: await openConfig({ path: config, env: {}, now: new Date() }) }
  const wanted = controls.filter(({ id }) => id.startsWith('edge.'))
  const joined = wanted.filter(({ checks }) => checks.some(({ id }) => id === 'W01' || id === 'W09'))
  const results = await runChecks({ contexts: { live, ...settings }, controls: joined })
  const report = buildReport({
    tool: { name: 'portcullis', version: '0' },
    target: { url },
    startedAt: new Date(),
    durationMs: 0,
    results,
  })
  const verdicts = report.controls.map(({ control, outcome }) => ({ severity: control.severity, outcome }))
  return {
    outcomes: Object.fromEntries(results.map(({ check, outcome }) => [check.id, outcome])),
    said: results.flatMap(({ evidence }) => evidence.map(({ detail }) => detail)).join('\n'),
    json: JSON.parse(jsonReport(report)),
    code: exitCodeOf([...report.results, ...verdicts], 'medium', false),
  }
}

async function listening(server: Server): Promise<string> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const http = async (answer: RequestListener): Promise<string> => `http://${await listening(createHttp(answer))}`
const portOf = (address: string): string => `127.0.0.1:${address.split(':').at(-1)}`

describe('verify --target', () => {
  it('W01, W09: hold on the hardened instance', async () => {
    const { outcomes, code, said } = await verify({ url: hardened.url, grpc: hardened.grpc })
    expect(outcomes, said).toEqual({ W01: 'PASS', W09: 'PASS' })
    expect(code).toBe(0)
  })

  it('W01, W09: both are broken on the twin with the planted faults', async () => {
    const { outcomes, code, said } = await verify({ url: twin.url, grpc: portOf(twin.grpc) })
    expect(outcomes).toEqual({ W01: 'FAIL', W09: 'FAIL' })
    expect(code).toBe(1)
    expect(said).toContain('portcullis.v1.HubService')
    expect(said).toContain('grpc.reflection.v1alpha')
  })

  it('V1: settings that say off and a listener that says on are a conflict, by name', async () => {
    const config = join(twin.dir, 'says-off.yaml')
    await writeFile(config, 'listen:\n  grpc: 127.0.0.1:50051\nreflection:\n  enabled: false\n')
    const { outcomes, json, code } = await verify({ url: twin.url, grpc: portOf(twin.grpc), config })
    expect(outcomes).toEqual({ F15: 'PASS', W01: 'FAIL', F16: 'PASS', W09: 'FAIL' })
    expect(json.controls).toContainEqual({ id: 'edge.reflection-off', outcome: 'CONFLICT', checks: ['F16', 'W09'] })
    expect(json.controls).toContainEqual({
      id: 'edge.listeners-on-loopback',
      outcome: 'CONFLICT',
      checks: ['F15', 'W01'],
    })
    expect(code).toBe(1)
  })

  it('V3: a target that is away is unknown', async () => {
    const free = await http(() => undefined)
    servers.at(-1)?.close()
    const { outcomes, code, said } = await verify({ url: free })
    expect(outcomes).toEqual({ W01: 'UNKNOWN', W09: 'UNKNOWN' })
    expect(said).toContain('the connection is refused')
    expect(code).toBe(4)
  })

  it('V3: a target that answers everything with 200 is unknown, also beside a real gRPC listener that nobody named', async () => {
    const url = await http((_, reply) => reply.end('{"status":"ok","version":"1"}'))
    const { outcomes, code, said } = await verify({ url })
    expect(outcomes).toEqual({ W01: 'UNKNOWN', W09: 'UNKNOWN' })
    expect(said).toContain('every request is answered alike')
    expect(code).toBe(4)
    const asGrpc = await verify({ url: hardened.url, grpc: new URL(url).host })
    expect(asGrpc.outcomes['W09']).toBe('UNKNOWN')
  })

  it('V3: a target that accepts and says nothing, and one that never stops, end at the deadline', async () => {
    const silent = await listening(createTcp(() => undefined))
    const endless = await http((_, reply) => {
      const timer = setInterval(() => reply.write('x'.repeat(1000)), 10)
      reply.on('close', () => clearInterval(timer))
    })
    const started = performance.now()
    const both = await Promise.all([verify({ url: `http://${silent}`, grpc: silent }), verify({ url: endless })])
    expect(performance.now() - started).toBeLessThan(6000)
    for (const { outcomes } of both) expect(outcomes).toEqual({ W01: 'UNKNOWN', W09: 'UNKNOWN' })
  })

  it('V3: what means something only on the machine itself is unknown from elsewhere', async () => {
    const { outcomes, said } = await verify({ url: hardened.url, grpc: hardened.grpc, vantage: 'outside' })
    expect(outcomes).toEqual({ W01: 'UNKNOWN', W09: 'PASS' })
    expect(said).toContain('on the machine of the target')
  })

  it.each([
    ['not a url', undefined],
    ['ftp://host', undefined],
    ['http://user:secret@127.0.0.1:1', undefined],
    ['http://127.0.0.1:1/path', undefined],
    ['http://127.0.0.1:1', 'host'],
    ['http://127.0.0.1:1', '127.0.0.1:0'],
  ])('V6: %s with gRPC at %s is no target, and nothing of it is repeated', async (url, grpc) => {
    const error = await openLive({ url, grpc, allowed: new Set() }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'NoTarget', todo: expect.stringContaining('such as') })
    expect(String(error)).not.toContain('secret')
  })
})
