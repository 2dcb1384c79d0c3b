import { describe, expect, it } from 'vitest'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer, type Seen } from './fakes.ts'

const agent = { id: 'agt_01a1ff97-9ca0-7b31-941e-3cbbbca027e9', name: 'researcher', createdAt: '2026-11-21T11:00:00Z' }
const apiKey = { id: 'key_1', agentId: agent.id, scopes: ['ledger:read'], createdAt: '2026-11-21T12:00:00Z' }

/** A server with one agent that makes what it is asked for. */
function answer({ path, message }: Seen): Answer {
  const method = path.slice(path.lastIndexOf('.') + 1)
  const replies: Readonly<Record<string, unknown>> = {
    'IdentityService/ListAgents': {
      agents: message['name'] === undefined || message['name'] === agent.name ? [agent] : [],
    },
    'IdentityService/CreateAgent': { agent: { ...agent, ...message } },
    'IdentityService/DisableAgent': { agent },
    'IdentityService/CreateKey': { apiKey: { ...apiKey, ...message }, key: 'pc_new' },
    'IdentityService/ListKeys': {
      keys: [apiKey, { ...apiKey, id: 'key_2', agentId: '', revokedAt: '2026-11-21T11:58:00Z' }],
    },
    'IdentityService/RevokeKey': { apiKey },
    'TenantService/Create': { tenant: { id: 'ten_1', name: message['name'] }, key: 'pc_tenant', keyId: 'key_9' },
    'TenantService/Disable': { tenant: { id: 'ten_1', name: 'acme' } },
  }
  return { body: replies[method] }
}

function ioFor(server: FakeServer, more: Partial<FakeIo> = {}): FakeIo {
  return fakeIo({ env: { PORTCULLIS_URL: server.url }, ...more })
}

const entry = (seq: number, body: object, requestId = `req_other${seq}`): object => ({
  log: 'main',
  seq: String(seq),
  ts: '2026-11-21T11:59:59.123456Z',
  entryJson: JSON.stringify({
    body: { kind: 'decision', method: '/portcullis.v1.HubService/StartRun', outcome: 'allow', requestId, ...body },
    seq,
  }),
})

/** 450 agents in pages. */
const pages = (seen: Seen): Answer => {
  const from = Number(seen.message['pageToken'] || 0)
  const size = Number(seen.message['pageSize'])
  const agents = Array.from({ length: Math.min(size, 450 - from) }, (_, at) => ({
    ...agent,
    name: `a${from + at}`,
  }))
  return { body: { agents, nextPageToken: from + size < 450 ? String(from + size) : '' } }
}

describe('agents', () => {
  it('U1: agent create sends what its options say', async () => {
    await using server = await fakeServer(answer)
    const { code, out, err } = await runLine(
      'agent create a --owner ops --label t=1 --label u=2 --model m --tool x --tool y',
      ioFor(server),
    )
    expect(server.seen[0]?.message).toEqual({
      name: 'a',
      owner: 'ops',
      labels: { t: '1', u: '2' },
      allowedModels: ['m'],
      allowedTools: ['x', 'y'],
    })
    expect([code, out]).toEqual([0, `Agent a is ${agent.id}.\n`])
    expect(err).toContain('portcullis key create --agent a')
  })

  it('U1: agent disable takes a name', async () => {
    await using server = await fakeServer(answer)
    expect((await runLine('agent disable researcher', ioFor(server))).code).toBe(0)
    expect(server.seen.at(-1)?.message).toEqual({ agentId: agent.id })
  })

  it('U1: a mistyped agent brings the one that was meant, and nothing is done', async () => {
    await using server = await fakeServer(answer)
    const { code, err } = await runLine('agent disable resarcher', ioFor(server))
    expect(code).toBe(1)
    expect(err).toContain('Did you mean researcher?')
    expect(server.seen.every(({ path }) => path.endsWith('ListAgents'))).toBe(true)
  })

  it('U1: a list is a table with relative times, and --json has every field', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('agent list', ioFor(server))
    expect(out).toMatch(/^NAME +ID +OWNER {2}CREATED +STATE\nresearcher {2}agt_\S+ {2}- {6}1 hour ago {2}active\n$/)
    const json = await runLine('agent list --json', ioFor(server))
    const empty = { owner: '', labels: {}, allowedModels: [], allowedTools: [], disabledAt: null }
    expect(JSON.parse(json.out)).toEqual({ agents: [{ ...agent, ...empty }], nextPageToken: '' })
  })

  it('C4: --all reads page after page, --limit stops and says that there is more', async () => {
    await using server = await fakeServer(pages)
    const all = await runLine('agent list --all --json', ioFor(server))
    const { agents }: { agents: readonly { name: string }[] } = JSON.parse(all.out)
    expect(agents.map(({ name }) => name)).toEqual(Array.from({ length: 450 }, (_, at) => `a${at}`))
    const some = await runLine('agent list --limit 210', ioFor(server))
    expect(some.out.split('\n')).toHaveLength(212)
    expect(some.err).toContain('There are more')
  })

  it('C4: an empty page that has a next one is not the end', async () => {
    await using server = await fakeServer(({ message }) => ({
      body: message['pageToken'] === '' ? { agents: [], nextPageToken: 'on' } : { agents: [agent], nextPageToken: '' },
    }))
    const { out } = await runLine('agent list --all --json', ioFor(server))
    expect(JSON.parse(out).agents).toHaveLength(1)
  })
})

describe('keys', () => {
  it('U1: key create finds the agent by name and shows the key once, on its own line', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine(
      'key create --agent researcher --scopes ledger:read --expires 30d --cidr 10.0.0.0/8 --rate 5 --burst 9',
      ioFor(server),
    )
    const expected = {
      agentId: agent.id,
      scopes: ['ledger:read'],
      expiresAt: '2026-12-21T12:00:00.000Z',
      allowedCidrs: ['10.0.0.0/8'],
      ratePerSecond: 5,
      rateBurst: 9,
    }
    expect(server.seen.at(-1)?.message).toEqual(expected)
    expect(out).toMatch(/shown once.*\npc_new\n$/)
    expect(out).toContain('expires in 30 days')
  })

  it('U1: key create --json gives id, key, scopes, agentId and expiresAt', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine(`key create --agent ${agent.id} --scopes ledger:read --json`, ioFor(server))
    expect(JSON.parse(out)).toMatchObject({
      id: 'key_1',
      key: 'pc_new',
      scopes: ['ledger:read'],
      agentId: agent.id,
      expiresAt: null,
    })
    expect(server.seen).toHaveLength(1)
  })

  it('U1: a key whose text was lost with the connection is told, with what to do', async () => {
    await using server = await fakeServer(() => ({ body: { apiKey, key: '' } }))
    const { out } = await runLine(`key create --agent ${agent.id} --scopes ledger:read`, ioFor(server))
    expect(out).toContain('Revoke it and make another')
  })

  it('U1: key list tells revoked keys and operators apart; key revoke names the key', async () => {
    await using server = await fakeServer(answer)
    const { out } = await runLine('key list --agent researcher', ioFor(server))
    expect(server.seen.at(-1)?.message).toMatchObject({ agentId: agent.id })
    expect(out).toMatch(/key_2 +\(operator\) .* revoked 2 minutes ago\n/)
    expect((await runLine('key revoke key_1', ioFor(server))).out).toBe('Key key_1 is revoked.\n')
  })
})

describe('tenants', () => {
  it('U1: tenant create shows the first admin key once, tenant disable names the tenant', async () => {
    await using server = await fakeServer(answer)
    expect((await runLine('tenant create acme', ioFor(server))).out).toMatch(/^Tenant acme is ten_1\..*\npc_tenant\n$/s)
    expect(JSON.parse((await runLine('tenant create acme --json', ioFor(server))).out)).toMatchObject({
      id: 'ten_1',
      key: 'pc_tenant',
      keyId: 'key_9',
    })
    expect((await runLine('tenant disable ten_1', ioFor(server))).out).toContain('Tenant acme is disabled')
  })
})

describe('ledger tail', () => {
  it('U1: prints time, outcome, code, method, caller and reason, oldest first', async () => {
    const denied = { outcome: 'deny', code: 'rate.limited', caller: { id: 'agt_1' }, reason: 'burst\u001B[2J' }
    const entries = [
      entry(2, denied),
      entry(1, { kind: 'system.started', method: '(owner role)' }),
      { ...entry(0, {}), entryJson: 'not json' },
    ]
    await using server = await fakeServer(() => ({ body: { entries } }))
    const { out } = await runLine('ledger tail --log system --limit 3 --outcome deny', ioFor(server))
    expect(server.seen[0]?.message).toEqual({ log: 'system', outcome: 'deny', pageSize: 3, pageToken: '' })
    const lines = out.split('\n')
    expect(lines[0]).toMatch(/^2026-11-21 11:59:59 {2}\? .* not readable: SyntaxError$/)
    expect(lines[1]).toMatch(/allow {2}- +system\.started +-$/)
    expect(lines[2]).toMatch(/deny {3}rate\.limited +HubService\/StartRun +agt_1 +burst\\u\{1b\}\[2J$/)
  })

  it('U1: --json is one document, with --follow one per line', async () => {
    await using server = await fakeServer((_, count) =>
      count < 3
        ? { body: { entries: [entry(1, {}), entry(0, {})] } }
        : { status: 401, body: { code: 'auth.credential_invalid' } },
    )
    const once = await runLine('ledger tail --json', ioFor(server))
    const { entries }: { entries: readonly { seq: string }[] } = JSON.parse(once.out)
    expect(entries.map(({ seq }) => seq)).toEqual(['0', '1'])
    const followed = await runLine('ledger tail --json --follow', ioFor(server))
    const lines = followed.out
      .trim()
      .split('\n')
      .map((line): { seq?: string; error?: { code: string } } => JSON.parse(line))
    expect(lines.map(({ seq, error }) => seq ?? error?.code)).toEqual(['0', '1', 'auth.credential_invalid'])
  })

  it('U1: --follow shows each entry once, leaves out its own calls and outlives a restart of the server', async () => {
    const older = [entry(1, {}), entry(0, {})]
    const script: readonly Answer[] = [
      { body: { entries: older } },
      { body: { entries: [entry(3, { reason: 'fresh' }), entry(2, {}, 'req_1'), ...older] } },
      { status: 503, body: { code: 'server.draining', title: 'Draining.' } },
      { status: 503, body: { code: 'server.draining', title: 'Draining.' } },
      { status: 503, body: { code: 'server.draining', title: 'Draining.' } },
      { body: { entries: [entry(5, { reason: 'back' })], nextPageToken: 'p2' } },
      { body: { entries: [entry(4, {}, 'req_2'), entry(3, {})], nextPageToken: 'p3' } },
      { status: 403, body: { code: 'auth.scope_missing', title: 'No.' } },
    ]
    await using server = await fakeServer((_, count) => script[count - 1] ?? { status: 500 })
    const io = ioFor(server)
    const { code, out, err } = await runLine('ledger tail --follow', io)
    expect(code).toBe(1)
    expect(
      out
        .trim()
        .split('\n')
        .map((line) => line.split(/ {2,}/).at(-1)),
    ).toEqual(['-', '-', 'fresh', 'back'])
    expect(err).toBe(
      'Draining. Trying again.\nerror: No. [auth.scope_missing]\n  to do: Use a key that has the scope named in the reply.\n  request: req_8\n',
    )
    expect(server.seen).toHaveLength(8)
  })
})
