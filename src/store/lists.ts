import { appColumns } from './operations/apps.ts'
import { certificateColumns } from './operations/certificates.ts'
import { agentColumns, keyColumns, tenantColumns } from './operations/identities.ts'
import { operatorColumns } from './operations/operators.ts'
import { signingKeyColumns } from './operations/signing-keys.ts'
import { sessionColumns } from './operations/sessions.ts'
import { runColumns } from './operations/runs.ts'
import { taskColumns } from './operations/boards.ts'
import { ms } from './operations/statement.ts'
import { attemptColumns, benchmarkColumns, eventColumns } from './list-columns.ts'
import type { Condition, List, Value } from './list-statement.ts'

const ids = {
  column: 'id',
  ends: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
} as const
const byId = { alias: 't', key: ids, where: 't.tenant_id = (select portcullis.tenant())' } as const

const index = (column: string, more: { only?: string; values?: readonly Value[] } = {}): Condition => ({
  by: 'index',
  sql: `${column} = $`,
  column,
  ...more,
})
const look = (sql: string): Condition => ({ by: 'look', sql })
const scan = (sql: string): Condition => ({ by: 'scan', sql })
// Ids are sorted by time.
const after = { by: 'from', value: uuidAt } as const
const before = { by: 'below', value: uuidAt } as const

/** Every list that is offered. A test holds each combination of filters to an index. */
export const lists = {
  runs: {
    name: 'runs',
    from: 'portcullis.runs r',
    alias: 'r',
    key: ids,
    where: 'r.tenant_id = (select portcullis.tenant())',
    columns: runColumns,
    texts: ['r.task_id', 'r.workflow', 'r.prompt_version', 'r.model_policy', 'r.last_error'],
    filters: {
      id: scan('r.id = $'),
      // The index leaves out runs without a task.
      taskId: index('r.task_id', { only: `r.task_id <> ''` }),
      agentId: index('r.agent_id'),
      promptVersion: index('r.prompt_version'),
      workflow: index('r.workflow'),
      status: index('r.status'),
      startedAfterMs: after,
      startedBeforeMs: before,
    },
  },
  agents: {
    name: 'agents',
    from: 'portcullis.agents a',
    alias: 'a',
    key: ids,
    where: 'a.tenant_id = (select portcullis.tenant())',
    columns: agentColumns,
    texts: ['a.name', 'a.owner', 'a.labels::text', 'a.allowed_models::text', 'a.allowed_tools::text'],
    filters: { name: scan('a.name = $') },
  },
  keys: {
    name: 'keys',
    from: 'portcullis.keys k',
    alias: 'k',
    key: ids,
    where: 'k.tenant_id = (select portcullis.tenant())',
    columns: keyColumns,
    texts: ['k.scopes::text', 'k.allowed_models::text', 'k.allowed_tools::text', 'k.allowed_cidrs::text'],
    filters: { agentId: index('k.agent_id') },
  },
  signingKeys: {
    name: 'signing_keys',
    from: 'portcullis.signing_keys g',
    alias: 'g',
    key: ids,
    where: 'g.tenant_id = (select portcullis.tenant())',
    columns: signingKeyColumns,
    texts: [`''`],
    filters: { agentId: index('g.agent_id') },
  },
  apps: {
    name: 'apps',
    from: 'portcullis.apps p',
    alias: 'p',
    key: ids,
    where: 'p.tenant_id = (select portcullis.tenant())',
    columns: appColumns,
    texts: [
      'p.name',
      'p.scopes::text',
      'p.redirect_uris::text',
      `coalesce(p.jwks, '')`,
      `coalesce(p.tls_subject_dn, '')`,
    ],
    filters: { name: scan('p.name = $') },
  },
  operators: {
    name: 'operators',
    from: 'portcullis.operators o',
    alias: 'o',
    key: ids,
    where: 'o.tenant_id = (select portcullis.tenant())',
    columns: operatorColumns,
    texts: ['o.name', `coalesce(o.upstream_subject, '')`],
    filters: { name: scan('o.name = $') },
  },
  sessions: {
    name: 'sessions',
    // All that may be selected: the digest of the cookie may not.
    from: '(select tenant_id, id, operator_id, app_id, created_at, expires_at, revoked_at from portcullis.sessions) s',
    alias: 's',
    key: ids,
    where: 's.tenant_id = (select portcullis.tenant())',
    columns: sessionColumns,
    texts: [`''`],
    filters: { operatorId: index('s.operator_id') },
  },
  certificates: {
    name: 'certificates',
    from: 'portcullis.certificates c',
    alias: 'c',
    key: ids,
    where: 'c.tenant_id = (select portcullis.tenant())',
    columns: certificateColumns,
    texts: ['c.subject_dn', 'c.scopes::text'],
    filters: { agentId: index('c.agent_id') },
  },
  tenants: {
    ...byId,
    name: 'tenants',
    from: 'portcullis.tenants t',
    where: 'true',
    columns: tenantColumns,
    texts: ['t.name'],
    filters: {},
  },
  tasks: {
    ...byId,
    name: 'tasks',
    from: 'portcullis.tasks t',
    columns: taskColumns,
    texts: ['t.title', 't.details', 't.tags::text'],
    // A condition on an array is not leakproof: under row-level security no index may serve it.
    filters: { agentId: index('t.agent_id'), status: index('t.status'), tag: look('t.tags @> array[$::text]') },
  },
  notes: {
    ...byId,
    name: 'notes',
    from: 'portcullis.notes t',
    columns: `t.id, t.title, t.body, t.tags, ${ms('t.created_at', 'createdAtMs')}`,
    texts: ['t.title', 't.body', 't.tags::text'],
    filters: { tag: look('t.tags @> array[$::text]') },
  },
  changelog: {
    ...byId,
    name: 'changelog',
    from: 'portcullis.changelog t',
    columns: `t.id, t.category, t.summary, t.details, t.actor, ${ms('t.created_at', 'createdAtMs')}`,
    texts: ['t.category', 't.summary', 't.details', 't.actor'],
    filters: { category: index('t.category') },
  },
  attempts: {
    ...byId,
    name: 'attempts',
    from: 'portcullis.prompt_attempts t',
    columns: attemptColumns,
    texts: `workflow provider_type provider model prompt_version prompt_hash error_type error_message`
      .split(' ')
      .map((column) => `t.${column}`),
    filters: {
      runId: index('t.run_id'),
      agentId: index('t.agent_id'),
      promptVersion: index('t.prompt_version'),
      model: index('t.model'),
      workflow: index('t.workflow'),
      outcome: { by: 'index', sql: 't.outcome = $', only: 't.outcome = 2', values: [2] },
      createdAfterMs: after,
      createdBeforeMs: before,
    },
  },
  events: {
    ...byId,
    name: 'events',
    from: 'portcullis.run_events t',
    columns: eventColumns,
    texts: ['t.event_type', 't.message', 't.data_json'],
    filters: {
      runId: index('t.run_id'),
      level: index('t.level', { only: 't.level >= 3', values: [3, 4] }),
      eventType: index('t.event_type'),
      createdAfterMs: after,
      createdBeforeMs: before,
    },
  },
  benchmarks: {
    ...byId,
    name: 'benchmarks',
    from: 'portcullis.benchmarks t',
    columns: benchmarkColumns,
    texts: ['t.workflow', 't.provider_type', 't.provider', 't.model', 't.notes'],
    filters: { model: index('t.model'), workflow: index('t.workflow') },
  },
  // Whoever asks bounds `action` and times by `fromSeq`: partitions are chosen by time, where it is next to the scan.
  entries: {
    name: 'entries',
    from: 'audits.entries e',
    alias: 'e',
    key: { column: 'seq', ends: ['0', '9223372036854775807'] },
    where: 'true',
    columns: 'e.log, e.seq, e.leaf, e.entry',
    texts: ['e.entry'],
    filters: {
      log: scan('e.log = $'),
      requestId: scan('e.request_id = $'),
      afterMs: scan('e.ts > to_timestamp($::float8 / 1000)'),
      beforeMs: scan('e.ts < to_timestamp($::float8 / 1000)'),
      caller: index('e.caller'),
      code: index('e.code', { only: 'e.code is not null' }),
      outcome: index('e.outcome', { only: `e.outcome <> 'allow'`, values: ['error', 'deny'] }),
      action: look('e.action = $'),
      tenantId: look('e.tenant_id = $'),
      fromSeq: { by: 'from' },
    },
  },
} as const satisfies Record<string, List>

function uuidAt(timeMs: Value): string {
  const time = Math.max(0, Math.floor(Number(timeMs)))
    .toString(16)
    .padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8, 12)}-7000-8000-000000000000`
}
