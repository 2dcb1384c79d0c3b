import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { refusals, type Caller, type RefusalCode } from '#core'
import { auditFields, auditText, writeAuditLine } from './audit-line.ts'
import { toldOf } from './decided.ts'
import { Metrics, metricRows } from './metrics.ts'
import { Tally } from './tally.ts'
import { parseTraceparent } from './traceparent.ts'

const caller: Caller = {
  kind: 'agent',
  id: 'agt_1',
  tenant: { id: 'ten_1', name: 'main' },
  scopes: new Set(['telemetry:write', 'admin:read', 'tasks:read']),
  credential: { kind: 'api_key', id: 'key_1' },
}
const method = { path: '/portcullis.v1.HubService/StartRun' }
const call = { method, remote: '192.0.2.1', requestId: 'request-1', traceparent: undefined }

describe('the audit line', () => {
  const written = (level: string, ...decided: readonly ReturnType<typeof toldOf>[]) => {
    const lines: Record<string, unknown>[] = []
    const log = pino({ level, base: {} }, { write: (line: string) => void lines.push(JSON.parse(line)) })
    for (const one of decided) writeAuditLine(log, one)
    return lines
  }

  it('J3: has every field, the scopes sorted and joined, and (none) and (anonymous) where there is nothing', () => {
    const known = toldOf(call, caller, 1, undefined)
    const stranger = toldOf({ ...call, method: undefined }, undefined, 1, 'method.unknown')
    expect(written('info', known, stranger)).toEqual([
      expect.objectContaining({
        logger: 'portcullis.authorization.audit',
        msg: 'portcullis authorization audit',
        route: method.path,
        status: 200,
        subject: 'agt_1',
        clientId: 'key_1',
        scopes: 'admin:read tasks:read telemetry:write',
        bypass: false,
        remote: '192.0.2.1',
        requestId: 'request-1',
      }),
      expect.objectContaining({
        route: '(unknown)',
        status: 404,
        subject: '(anonymous)',
        clientId: '(none)',
        scopes: '(none)',
      }),
    ])
  })

  it('J3, G12: says where it came from, and names the client that acts for the caller, whatever the caller is', () => {
    const network = { cidr: '192.0.2.0/24', caller: () => undefined }
    const bypass: Caller = {
      ...caller,
      kind: 'service',
      id: 'bypass',
      credential: { kind: 'bypass', id: network.cidr },
    }
    const nobody: Caller = {
      ...bypass,
      id: 'anonymous',
      scopes: new Set(),
      credential: { kind: 'anonymous', id: 'anonymous' },
    }
    const person: Caller = { ...caller, id: 'ada', clientId: 'app_1', credential: { kind: 'access_token', id: 'jti' } }
    const lines = written(
      'info',
      toldOf({ ...call, bypass: network }, bypass, 1, undefined),
      toldOf({ ...call, bypass: network }, undefined, 1, 'auth.credential_missing'),
      toldOf(call, nobody, 1, 'auth.scope_missing'),
      toldOf(call, person, 1, undefined),
    )
    expect(lines.map((line) => [line['subject'], line['clientId'], line['scopes'], line['bypass']])).toEqual([
      ['bypass', '192.0.2.0/24', 'admin:read tasks:read telemetry:write', true],
      ['(anonymous)', '(none)', '(none)', true],
      ['anonymous', 'anonymous', '(none)', false],
      ['ada', 'app_1', 'admin:read tasks:read telemetry:write', false],
    ])
  })

  it('J3: what another issuer says of its callers is one word and no field', () => {
    const strange: Caller = { ...caller, id: 'ada bypass=True\n', clientId: 'a b', scopes: new Set(['x:y', 'z=1']) }
    expect(auditText(auditFields(toldOf(call, strange, 1, undefined)))).toContain(
      'subject=ada?bypass=True? clientId=a?b scopes=x:y z?1 bypass=False',
    )
  })

  it('J3: is not written, nor made, where the log begins above info', () => {
    const decided = { ...toldOf(call, caller, 1, undefined) }
    Object.defineProperty(decided, 'caller', { get: () => expect.fail('the fields were made') })
    expect(written('warn', decided)).toEqual([])
  })

  it('J3: its text form is one line, whatever the address says that a proxy forwarded', () => {
    const fields = auditFields({ ...toldOf(call, caller, 1, 'auth.scope_missing'), remote: 'x bypass=True\nremote=y' })
    expect(auditText(fields)).toBe(
      'portcullis authorization audit route=/portcullis.v1.HubService/StartRun status=403 subject=agt_1 clientId=key_1 ' +
        'scopes=admin:read tasks:read telemetry:write bypass=False remote=x?bypass=True?remote=y requestId=request-1',
    )
  })
})

describe('metrics', () => {
  it('O4: every metric of the table can be scraped under its name, before anything has happened or after', async () => {
    const metrics = new Metrics()
    expect(await metrics.prometheus()).toContain('portcullis_ledger_entries_total 0')
    metrics.watch({ queued: () => 3, freeBytes: () => 1024, skewMs: () => -1500 })
    metrics.watchRates({ away: true, alone: 2 })
    metrics.watchIssuer({ jwksAgeSeconds: () => 7 })
    metrics.watchPolicy({ failing: true })
    metrics.watchCheckpoints({ stopped: new Map([['acme', 'why']]), unsignedMs: () => 2500 })
    metrics.watchSinks(() => [{ sink: 'archive', entries: 4, seconds: 1.5 }])
    metrics.sinkSent('archive', 'sent', 6)
    metrics.decided(toldOf(call, caller, 2, undefined))
    metrics.gated(0.01)
    metrics.committed({ calls: 7, entries: 9, transactionMs: 4, appendMs: 3 })
    metrics.forwarded('http-0', 'sent', 5)
    metrics.faultsOf('grpc')('flood')
    metrics.serviceToken('HubService', '(none)', 'wrong')
    metrics.oauth('token.issued', '(none)')
    metrics.watchKills(() => [{ scope: 1 }])
    metrics.killConfirmed(3)
    metrics.watchBudgets(async () => ({ usedRatio: new Map([['nano_usd', 0.25]]), reservedNanoUsd: 12 }))
    metrics.watchWebhooks(() => [{ webhook: 'pager', lag: 2, dead: 1 }])
    metrics.webhookTried('pager', 'delivered')
    const text = await metrics.prometheus()
    for (const [name, kind] of metricRows) expect(text, name).toContain(`# TYPE ${name} ${kind}`)
    expect(text).toContain('portcullis_writer_queue_depth 3')
    expect(text).toContain('portcullis_transport_faults_total{listener="grpc",kind="flood"} 1')
    expect(text).toContain('portcullis_clock_skew_seconds -1.5')
    expect(text).toContain('portcullis_ledger_chain_valid{log="(all)"} 0')
    expect(text).toContain('portcullis_ledger_chain_valid{log="acme"} 0')
    expect(text).toContain('portcullis_ledger_checkpoint_age_seconds 2.5')
    expect(text).toContain('portcullis_ledger_sink_lag_entries{sink="archive"} 4')
    expect(text).toContain('portcullis_ledger_sink_lag_seconds{sink="archive"} 1.5')
    expect(text).toContain('portcullis_ledger_sink_entries_total{sink="archive"} 6')
    expect(text).toContain('portcullis_ledger_sink_batches_total{sink="archive",result="sent"} 1')
    expect(text).toContain('portcullis_budget_used_ratio{unit="nano_usd"} 0.25')
    expect(text).toContain('portcullis_budget_reserved_nano_usd 12')
    expect(text).toContain('portcullis_webhook_deliveries_total{webhook="pager",outcome="delivered"} 1')
    expect(text).toContain('portcullis_webhook_lag_entries{webhook="pager"} 2')
    expect(text).toContain('portcullis_webhook_dead_letters{webhook="pager"} 1')
    expect(text).toContain('portcullis_ledger_entries_total 9')
    expect(text).toContain('portcullis_writer_batch_size_sum 7')
    expect(text).toContain('portcullis_writer_batch_size_bucket{le="8"} 1')
    expect(text).toContain(
      `portcullis_authorization_audit_total{route="${method.path}",status="200",bypass="false",scopes="present",client="present"} 1`,
    )
    expect(text).toContain(`portcullis_gate_decisions_total{method="${method.path}",outcome="allow",code="(none)"} 1`)
    await metrics.close()
  })

  it('O4: nothing that a caller chose becomes a label', async () => {
    const metrics = new Metrics()
    for (let at = 0; at < 500; at += 1) {
      const evil = `evil-${at}"\n`
      const told = { ...call, requestId: evil, remote: evil, traceparent: evil }
      metrics.decided(toldOf({ ...told, method: undefined }, undefined, 1, 'method.unknown'))
      metrics.decided(toldOf(told, { ...caller, id: evil, scopes: new Set([evil]) }, 1, undefined))
    }
    const text = await metrics.prometheus()
    expect(text).not.toContain('evil')
    expect(text).toContain(
      'portcullis_gate_decisions_total{method="(unknown)",outcome="deny",code="method.unknown"} 500',
    )
    await metrics.close()
  })

  it('O4: no decision is lost, with every method and every code at once', async () => {
    const metrics = new Metrics()
    const codes = Object.keys(refusals) as RefusalCode[]
    let told = 0
    for (const one of methods.values()) {
      for (const code of codes) {
        metrics.decided(toldOf({ ...call, method: one }, caller, 1, code))
        told += 1
      }
    }
    const text = await metrics.prometheus()
    const counted = [...text.matchAll(/^portcullis_gate_decisions_total\{.*\} (\d+)$/gm)]
    expect(counted).toHaveLength(told)
    expect(text).not.toContain('otel_metric_overflow')
    await metrics.close()
  })

  it('O4: a tally counts each combination of labels by itself', () => {
    const tally = new Tally(['a', 'b'])
    tally.add('x', 'y')
    tally.add('x', 'z')
    tally.addMany(4, 'x', 'y')
    expect(tally.series()).toEqual([
      { labels: { a: 'x', b: 'y' }, count: 5 },
      { labels: { a: 'x', b: 'z' }, count: 1 },
    ])
  })
})

describe('traceparent', () => {
  const trace = '0af7651916cd43dd8448eb211c80319c'
  it('O4: is honoured where it is valid, and counts as not sent where it is not', () => {
    expect(parseTraceparent(`00-${trace}-b7ad6b7169203331-01`)).toEqual({
      traceId: trace,
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
    })
    expect(parseTraceparent(`cc-${trace}-b7ad6b7169203331-00-later`)?.traceFlags).toBe(0)
    for (const bad of [
      '',
      `ff-${trace}-b7ad6b7169203331-01`,
      `00-${trace}-b7ad6b7169203331-01-more`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-${trace}-${'0'.repeat(16)}-01`,
      `00-${trace.toUpperCase()}-b7ad6b7169203331-01`,
      `00-${trace}-b7ad6b7169203331-01, 00-${trace}-b7ad6b7169203331-01`,
    ]) {
      expect(parseTraceparent(bad), bad).toBeUndefined()
    }
  })
})

it('O4: the page lists every metric with its kind, its labels and its meaning', () => {
  const page = readFileSync('docs/telemetry.md', 'utf8')
  for (const [name, kind, meaning, labels] of metricRows) {
    const shown = labels === '' ? '' : `\`${labels.replaceAll(' ', '`, `')}\``
    expect(page).toContain(`| \`${name}\` | ${kind} | ${shown} | ${meaning} |`)
  }
})
