import { createServer, type RequestListener, type Server } from 'node:http'
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeSelfSigned } from '../../../test/harness/certificates.ts'
import { fakeIo, fakeServerRoom, nowMs, runLine } from '../fakes.ts'
import { ailments, type Ailment, type AilmentId, type Finding } from './ailments.ts'
import { fromMetrics } from './from-metrics.ts'
import { Samples } from './samples.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-doctor-'))
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader('date', new Date(nowMs).toUTCString())
    listener(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

function audit(labels: Partial<Record<'status' | 'bypass' | 'scopes' | 'client', string>>, count: number): string {
  const { status = '200', bypass = 'false', scopes = 'present', client = 'present' } = labels
  return `portcullis_authorization_audit_total{route="/r",status="${status}",bypass="${bypass}",scopes="${scopes}",client="${client}"} ${count}`
}

function decided(code: string, count: number): string {
  return `portcullis_gate_decisions_total{method="/r",outcome="deny",code="${code}"} ${count}`
}

const healthy = [
  '# TYPE portcullis_authorization_audit_total counter',
  audit({}, 100),
  decided('(none)', 100),
  'portcullis_ledger_entries_total 100',
  'portcullis_writer_queue_depth 0',
  'portcullis_kill_engaged{scope_kind="tenant"} 0',
  'portcullis_ledger_chain_valid{log="(all)"} 1',
  'portcullis_ledger_sink_lag_seconds{sink="archive"} 2',
  'portcullis_clock_skew_seconds 0.01',
]

function found(id: AilmentId, ...lines: readonly string[]): Finding | undefined {
  return fromMetrics(Samples.parse([...healthy, ...lines].join('\n'))).find((finding) => finding.id === id)
}

describe('what metrics tell', () => {
  it('O7: a healthy process has nothing wrong, and what is not there is unknown and not fine', () => {
    const outcomes = fromMetrics(Samples.parse(healthy.join('\n')))
    expect(outcomes.filter(({ outcome }) => outcome === 'wrong')).toEqual([])
    expect(outcomes.filter(({ outcome }) => outcome === 'unknown').map(({ id }) => id)).toEqual([
      'issuer.reach',
      'disk.space',
    ])
  })

  it('O7: client (none) everywhere is told apart by why: no credential, one that is not known, an issuer that is away', () => {
    const none = audit({ status: '401', client: '(none)' }, 300)
    const cause = (code: string) => found('client.none', none, decided(code, 300))
    expect(cause('auth.credential_missing')).toMatchObject({
      outcome: 'wrong',
      cause: expect.stringContaining('proxy'),
    })
    expect(cause('auth.credential_invalid')).toMatchObject({ cause: expect.stringContaining('audience') })
    expect(cause('auth.authority_unavailable')).toMatchObject({ remedy: 'See issuer.reach.' })
    expect(found('client.none', audit({ status: '401', client: '(none)' }, 10))).toMatchObject({ outcome: 'fine' })
  })

  it.each<[string, AilmentId, readonly string[]]>([
    ['unexpected bypass', 'bypass.unexpected', [audit({ bypass: 'true', status: '401' }, 1)]],
    ['refused with a valid token, for its scope', 'token.refused', [decided('auth.scope_missing', 50)]],
    ['refused with a valid token, for its audience', 'token.refused', [decided('auth.credential_invalid', 50)]],
    ['a spike of failures', 'failures.spike', [audit({ status: '503' }, 5)]],
    ['jobs that cannot be triggered', 'failures.spike', ['web_jobs_trigger_failed_total{job_kind="a"} 1']],
    ['conflicts of jobs', 'jobs.conflicts', ['web_jobs_triggered_total 1', 'web_jobs_trigger_conflict_total 9']],
    ['a sink that is behind', 'sinks.behind', ['portcullis_ledger_sink_lag_seconds{sink="s3"} 4000']],
    ['a broken chain', 'ledger.broken', ['portcullis_ledger_chain_valid{log="ten_1"} 0']],
    ['no checkpoints', 'ledger.broken', ['portcullis_ledger_checkpoint_age_seconds 4000']],
    ['a kill switch', 'kill.engaged', ['portcullis_kill_engaged{scope_kind="agent"} 2']],
    ['a clock that is off', 'clock.skew', ['portcullis_clock_skew_seconds -7']],
    ['old keys of the issuer', 'issuer.reach', ['portcullis_authority_jwks_age_seconds 90000']],
    ['a full disk', 'disk.space', ['portcullis_store_free_bytes 1000']],
    ['shared limits that are away', 'limits.alone', ['portcullis_rates_away 1']],
    ['policies that fail', 'policy.failing', ['portcullis_policy_failing 1']],
  ])('O7: %s', (_, id, lines) => {
    expect(found(id, ...lines)?.outcome).toBe('wrong')
    expect(found(id)?.outcome).not.toBe('wrong')
  })

  it('O7: a page without our metrics is wrong, and one of a server that nobody has called is not', () => {
    const missing = (text: string) =>
      fromMetrics(Samples.parse(text)).find(({ id }) => id === 'metrics.missing')?.outcome
    expect(missing('node_cpu_seconds_total 1')).toBe('wrong')
    expect(missing('portcullis_writer_queue_depth 0')).toBe('unknown')
  })

  it('O7: with --during, counters count what happened meanwhile, also over a restart', () => {
    const then = Samples.parse([audit({ status: '503' }, 50), 'g 5', 'restarted_total 90'].join('\n'))
    const later = Samples.parse([audit({ status: '503' }, 51), 'g 7', 'restarted_total 3'].join('\n')).since(then)
    expect([later.sum('portcullis_authorization_audit_total'), later.sum('g'), later.sum('restarted_total')]).toEqual([
      1, 7, 3,
    ])
  })
})

describe('the command', () => {
  it('O7: looks at a server and its management listener; exits with 0 where nothing is wrong', async () => {
    const target = await serving((_, response) => response.end('{"status":"ok","version":"1"}'))
    const management = await serving((request, response) =>
      response.end(request.url === '/metrics' ? healthy.join('\n') : '{"status":"ready"}'),
    )
    const { code, out } = await runLine(`doctor --target ${target} --management ${management} --json`)
    expect(JSON.parse(out)).toMatchObject({ ok: true })
    expect(code).toBe(0)
    expect((await runLine(`doctor --target ${target} --management ${management}`)).out).toMatch(/fine +server\.reach/)
  })

  it('O7: says why and what to do where something is wrong, UNKNOWN where it could not look, and exits with 1', async () => {
    const target = await serving((_, response) => {
      response.statusCode = 502
      response.end('<html>')
    })
    const management = await serving((request, response) => {
      response.statusCode = request.url === '/metrics' ? 404 : 503
      response.end('{"status":"not_ready","reason":"the store cannot be reached"}')
    })
    const { code, out } = await runLine(`doctor --target ${target} --management ${management}`)
    expect(code).toBe(1)
    expect(out).toMatch(/WRONG +server\.reach +.*answers 502/)
    expect(out).toMatch(/WRONG +server\.ready +the store cannot be reached\n +why: /)
    expect(out).toMatch(/WRONG +metrics\.missing +.*404\n.*\n +to do: Scrape the management listener/)
    const gone = await runLine(`doctor --target http://127.0.0.1:1 --management http://127.0.0.1:1 --json`)
    expect(gone.code).toBe(1)
    const outcomes = JSON.parse(gone.out).findings.map(({ id, outcome }: Finding) => [id, outcome])
    expect(outcomes).toEqual([
      ['clock.skew', 'unknown'],
      ['server.reach', 'wrong'],
      ['server.ready', 'unknown'],
      ['metrics.missing', 'unknown'],
    ])
  })

  it('O7: looks at the settings and what they name: certificates, database, clocks, the age of the key', async () => {
    const ca = join(folder, 'ca.pem')
    writeFileSync(ca, makeSelfSigned('ca').cert)
    const keyFile = join(folder, 'master-key')
    writeFileSync(keyFile, 'x')
    utimesSync(keyFile, new Date(nowMs), new Date(nowMs - 500 * 86_400_000))
    const file = join(folder, 'portcullis.yaml')
    const settings = (more: string) =>
      writeFileSync(file, `database:\n  url: postgres://portcullis_app:x@127.0.0.1/p\n${more}`)
    settings(`  tls: { caFile: ${ca} }\nsecrets: { keyFile: ${keyFile} }\n`)
    const server = () =>
      Promise.resolve(fakeServerRoom({ examine: () => Promise.resolve({ database: 'refused', issuer: { keys: 2 } }) }))
    const args = `doctor --config ${file} --target http://127.0.0.1:1 --management http://127.0.0.1:1 --json`
    const { out } = await runLine(args, fakeIo({ server }))
    const outcomes = new Map<string, Finding>(JSON.parse(out).findings.map((one: Finding) => [one.id, one]))
    expect(outcomes.get('config.invalid')?.outcome).toBe('fine')
    expect(outcomes.get('certificates.expiry')?.found).toMatch(/days left|has expired/)
    expect(outcomes.get('keys.age')).toMatchObject({ outcome: 'wrong', found: expect.stringContaining('500 days ago') })
    expect(outcomes.get('database.reach')).toMatchObject({ outcome: 'wrong', found: 'refused' })
    expect(outcomes.get('issuer.reach')).toMatchObject({ outcome: 'fine', found: 'the issuer publishes 2 keys' })
    settings('listen: { grpc: nonsense }\n')
    const bad = JSON.parse((await runLine(`doctor --config ${file} --json`)).out)
    expect(bad.findings).toMatchObject([
      { id: 'config.invalid', outcome: 'wrong', found: expect.stringContaining('listen.grpc') },
    ])
  })
})

describe('docs/doctor.md', () => {
  it('O7: has the table of the command, row by row', () => {
    const page = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8')
    const rows = Object.entries(ailments).map(
      ([id, { symptom, probe, cause, remedy }]: [string, Ailment]) =>
        `| \`${id}\` | ${symptom} | ${probe} | ${cause} | ${remedy} |`,
    )
    expect(page).toContain(['| id | symptom | probe | cause | remedy |', '|---|---|---|---|---|', ...rows].join('\n'))
  })
})
