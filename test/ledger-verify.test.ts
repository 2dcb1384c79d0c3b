import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

describe('the ledger, verified and exported', () => {
  let instance: TestInstance
  let admin: Client
  beforeAll(async () => {
    instance = await startInstance()
    admin = await instance.connect('postgres')
    for (let run = 0; run < 12; run += 1) await instance.call('HubService/StartRun', { workflow: `w${run}` })
  })
  afterAll(() => instance.stop())

  async function get(path: string, headers: Record<string, string> = { authorization: `Bearer ${instance.adminKey}` }) {
    const reply = await fetch(`${instance.url}${path}`, { headers })
    // oxlint-disable-next-line typescript/no-explicit-any -- a reply of any shape
    const body: any = await reply.json()
    return { status: reply.status, type: reply.headers.get('content-type'), body }
  }

  it('L10: an untouched log is valid, from its first entry to its last, under the root of its head', async () => {
    const { status, body } = await get('/v1/audit?verify_chain=true')
    expect(status).toBe(200)
    expect(body).toEqual({
      chain_valid: true,
      log: 'main',
      from: 0,
      to: expect.any(Number),
      root: expect.stringMatching(/^[0-9a-f]{64}$/),
      checkpoint_size: 0,
      anchored_size: 0,
    })
    expect(body.to).toBeGreaterThanOrEqual(11)
    expect((await get('/api/v1/audit?verify_chain=true&log=system')).body).toMatchObject({
      chain_valid: true,
      log: 'system',
    })
    const method = await instance.call('LedgerService/Verify', {})
    expect(method.body).toMatchObject({ chainValid: true, log: 'main', from: '0' })
  })

  it('L10: entries are listed with previous_hash and record_hash, and the filters and pages of the method', async () => {
    const { status, body } = await get('/v1/audit?page_size=2&action=/portcullis.v1.HubService/StartRun')
    expect(status).toBe(200)
    expect(body.entries).toHaveLength(2)
    const [entry] = body.entries
    expect(entry).toMatchObject({
      log: 'main',
      body: { method: '/portcullis.v1.HubService/StartRun', outcome: 'allow' },
    })
    expect(entry.record_hash).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.parse(entry.entry_json)).toMatchObject({ prev: entry.previous_hash, seq: entry.seq, ts: entry.ts })
    const token = encodeURIComponent(body.next_page_token)
    const next = await get(`/v1/audit?page_size=100&action=/portcullis.v1.HubService/StartRun&page_token=${token}`)
    expect(next.body.entries).toHaveLength(10)
    expect(next.body.next_page_token).toBe('')
  })

  it('L10: the routes are behind the same gate as the methods, and what they refuse is a problem document', async () => {
    for (const path of ['/v1/audit', '/api/v1/audit?verify_chain=true']) {
      const nobody = await get(path, {})
      expect([nobody.status, nobody.type, nobody.body.code]).toEqual([
        401,
        'application/problem+json; charset=utf-8',
        'auth.credential_missing',
      ])
    }
    const agent = await instance.agent('auditless', ['telemetry:write'])
    const without = await get('/v1/audit?verify_chain=true', { authorization: `Bearer ${agent.key}` })
    expect([without.status, without.body.code]).toEqual([403, 'auth.scope_missing'])
    for (const [query, said] of [
      ['verify_chain=maybe', 'verify_chain must be true or false'],
      ['nonsense=1', 'nonsense is no parameter here'],
      ['log=a&log=b', 'log is no parameter here, or is there twice'],
      ['after=yesterday', 'after must be a time'],
      ['page_size=x', 'page_size must be a number'],
      ['page_size=1001', 'pageSize must be between'],
      ['verify_chain=true&action=x', 'action is no parameter here'],
    ] as const) {
      const { status, body } = await get(`/v1/audit?${query}`)
      expect([status, body.code], query).toEqual([400, 'input.invalid'])
      expect(body.detail, query).toContain(said)
    }
    expect((await get('/v1/audit?verify_chain=true&log=other')).body.code).toBe('object.not_found')
    expect((await get(`/v1/audit?key=${'x'.repeat(9)}`)).status).toBe(401)
    const recorded = await instance.call('LedgerService/Query', { action: '/portcullis.v1.LedgerService/Verify' })
    expect(recorded.body.entries.length).toBeGreaterThanOrEqual(3)
  })

  it('L13: a page of a filter that no index serves is bounded, and its token goes on', async () => {
    const none = await instance.call('LedgerService/Query', { action: 'no.such.action' })
    expect(none.body).toMatchObject({ entries: [], nextPageToken: '' })
    const [before, after] = [new Date(Date.now() + 60_000).toISOString(), '2020-01-01T00:00:00Z']
    const all = await instance.call('LedgerService/Query', { before, after, pageSize: 3 })
    expect(all.body.entries).toHaveLength(3)
  })

  it('L13: entries are filtered by tenant, and other tenants are not there', async () => {
    const { id } = (await instance.call('TenantService/List', {})).body.tenants[0]
    for (const tenant of ['main', id]) {
      const { status, body } = await get(`/v1/audit?tenant=${tenant}&page_size=2`)
      expect([status, body.entries.length]).toEqual([200, 2])
    }
    expect((await get('/v1/audit?tenant=other')).body.code).toBe('object.not_found')
    const ofSystem = await get(`/v1/audit?tenant=main&log=system`)
    expect(ofSystem.body.entries.every(({ body }: { body: { tenant?: string } }) => body.tenant === id)).toBe(true)
  })

  it('L13: the logs that a caller may read, with where they begin and end', async () => {
    const { body } = await instance.call('LedgerService/GetLogs', {})
    expect(body.logs.map(({ log }: { log: string }) => log)).toEqual(['main', 'system'])
    expect(body.logs[0]).toMatchObject({ pruneSeq: '-1', root: expect.stringMatching(/^[0-9a-f]{64}$/) })
    const agent = await instance.agent('reader', ['ledger:read'])
    const own = await instance.call('LedgerService/GetLogs', {}, { key: agent.key })
    expect(own.body.logs.map(({ log }: { log: string }) => log)).toEqual(['main'])
  })

  it('L13: an export is the log itself, in order, a page at a time', async () => {
    const lines: string[] = []
    for (let next = 0; next >= 0;) {
      const { body } = await instance.call('LedgerService/Export', { log: 'main', fromSeq: String(next), limit: 5 })
      lines.push(...body.ndjson.split('\n').filter((line: string) => line !== ''))
      next = lines.length > 30 ? -1 : Number(body.nextSeq)
    }
    expect(lines.map((line) => JSON.parse(line).seq)).toEqual(lines.map((_, at) => at))
    const { rows } = await admin.query<{ entry: Buffer }>(
      `select entry from audits.entries where log = 'main' order by seq limit 1`,
    )
    expect(lines[0]).toBe(rows[0]?.entry.toString('utf8'))
    const beyond = await instance.call('LedgerService/Export', { fromSeq: '100000' })
    expect(beyond.body).toMatchObject({ ndjson: '', nextSeq: '-1' })
    const wrong = await instance.call('LedgerService/Export', { limit: 1001 })
    expect([wrong.status, wrong.body.code]).toEqual([400, 'input.invalid'])
  })

  const bytes = (from: string, to: string): string =>
    `convert_to(replace(convert_from(entry, 'UTF8'), '${from}', '${to}'), 'UTF8')`
  const tampering: readonly (readonly [what: string, problem: string, sql: string])[] = [
    ['bytes are changed', 'bad_leaf', `update audits.entries set entry = ${bytes('"allow"', '"blame"')} where log = 'main' and seq = 5`],
    [
      'bytes and leaf are changed',
      'bad_link',
      `update audits.entries set entry = ${bytes('"allow"', '"blame"')}, leaf = sha256('\\x00'::bytea || ${bytes('"allow"', '"blame"')}) where log = 'main' and seq = 5`,
    ],
    ['an entry is gone', 'gap', `delete from audits.entries where log = 'main' and seq = 5`],
    ['entries are gone', 'gap', `delete from audits.entries where log = 'main' and seq between 5 and 7`],
    [
      'an entry is replaced by another',
      'bad_seq',
      `update audits.entries e set entry = o.entry, leaf = o.leaf from audits.entries o where e.log = 'main' and e.seq = 5 and o.log = 'main' and o.seq = 4`,
    ],
    [
      'an entry comes from another log',
      'wrong_log',
      `update audits.entries e set entry = o.entry, leaf = o.leaf from audits.entries o where e.log = 'main' and e.seq = 5 and o.log = 'system' and o.seq = 0`,
    ],
    ['the leaf alone is changed', 'bad_leaf', `update audits.entries set leaf = sha256('x') where log = 'main' and seq = 5`],
    ['bytes are no entry', 'bad_bytes', `update audits.entries set entry = 'x' where log = 'main' and seq = 5`],
  ] // prettier-ignore

  it.each(tampering)('L10: verification names the first bad entry where %s (%s)', async (_, problem, sql) => {
    await admin.query('begin')
    await admin.query('alter table audits.entries disable trigger all')
    await admin.query(
      `create table if not exists public.kept as select * from audits.entries where log = 'main' and seq between 4 and 8`,
    )
    await admin.query(sql)
    await admin.query('alter table audits.entries enable always trigger entries_refuse_row')
    await admin.query('commit')
    try {
      const { status, body } = await get('/v1/audit?verify_chain=true')
      expect(status).toBe(200)
      expect(body).toMatchObject({ chain_valid: false, first_bad_seq: 5, from: 0, to: 4 })
      expect(body.problem).toContain(problem)
    } finally {
      await admin.query('alter table audits.entries disable trigger all')
      await admin.query(`delete from audits.entries where log = 'main' and seq between 4 and 8`)
      await admin.query('insert into audits.entries select * from public.kept')
    }
    expect((await get('/v1/audit?verify_chain=true')).body.chain_valid).toBe(true)
  })

  it('L10: verification names the first bad entry where the tail is cut, and where something stands behind the head', async () => {
    await admin.query('alter table audits.entries disable trigger all')
    const { rows } = await admin.query<{ size: string }>(`select size from audits.heads where log = 'system'`)
    const size = Number(rows[0]?.size)
    await admin.query(
      `insert into audits.entries select log, $1::bigint, ts, tenant_id, caller, actor, action, outcome, code, request_id, leaf, entry,
         retention_class from audits.entries where log = 'system' and seq = 0`,
      [size + 1000],
    )
    const behind = await get('/v1/audit?verify_chain=true&log=system')
    expect(behind.body).toMatchObject({ chain_valid: false, first_bad_seq: size })
    expect(behind.body.problem).toContain('head_mismatch')
    await admin.query(`delete from audits.entries where log = 'system' and seq >= $1`, [size - 1])
    const cut = await get('/v1/audit?verify_chain=true&log=system')
    expect(cut.body).toMatchObject({ chain_valid: false, first_bad_seq: size - 1, to: size - 2 })
  })

  it('L10: a log too long for one turn is replayed on a thread of its own, and calls are answered meanwhile', async () => {
    const { rows } = await admin.query<{ id: string }>(`select id from portcullis.tenants where name = 'main'`)
    const owner = await instance.connect('portcullis_owner')
    const count = 500
    const all = (value: string): string => Array.from({ length: count }, () => value).join('\n')
    const bodies = Array.from({ length: count }, (_, at) => `{"at":${at},"text":"${'x'.repeat(300)}"}`).join('\n')
    for (let batch = 0; batch < 10; batch += 1) {
      await owner.query('select audits.append($1, $2, $3, $3, $4, $5, $3, $3, $6)', [
        all('main'),
        all(rows[0]?.id ?? ''),
        all(''),
        all('test'),
        all('allow'),
        bodies,
      ])
    }
    const [replay, call] = await Promise.all([
      get('/v1/audit?verify_chain=true'),
      instance.call('HubService/StartRun', { workflow: 'meanwhile' }),
    ])
    expect(replay.body).toMatchObject({ chain_valid: true, log: 'main' })
    expect(replay.body.to).toBeGreaterThan(5000)
    expect(call.status).toBe(200)
    await admin.query('alter table audits.entries disable trigger all')
    await admin.query(`update audits.entries set leaf = sha256('x') where log = 'main' and seq = 4567`)
    const broken = await get('/v1/audit?verify_chain=true')
    expect(broken.body).toMatchObject({ chain_valid: false, first_bad_seq: 4567, to: 4566 })
  })
})
