import { appColumns } from './operations/apps.ts'
import { correctionColumns, costHourColumns } from './costs.ts'
import { certificateColumns } from './operations/certificates.ts'
import { agentColumns, keyColumns, tenantColumns } from './operations/identities.ts'
import { killColumns } from './operations/kills.ts'
import { operatorColumns } from './operations/operators.ts'
import { signingKeyColumns } from './operations/signing-keys.ts'
import { jobColumns } from './operations/jobs.ts'
import { sessionColumns } from './operations/sessions.ts'
import { runColumns } from './operations/runs.ts'
import { taskColumns } from './operations/boards.ts'
import { capColumns } from './operations/policies.ts'
import { postureColumns } from './operations/postures.ts'
import { budgetColumns, budgetUseColumns, reservationColumns } from './operations/budgets.ts'
import { ms } from './operations/statement.ts'
import { attemptColumns, benchmarkColumns, drillColumns, eventColumns } from './list-columns.ts'
import { timeOf, uuidAt, type Condition, type List, type Value } from './list-statement.ts'

const ids = {
  column: 'id',
  ends: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
} as const
const byId = { alias: 't', key: ids, where: 't.tenant_id = (select portcullis.tenant())' } as const

type More = Pick<Extract<Condition, { by: 'index' }>, 'only' | 'values' | 'since'>

const index = (column: string, more: More = {}): Condition => ({
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
  jobs: {
    name: 'jobs',
    from: 'portcullis.jobs j',
    alias: 'j',
    key: ids,
    where: 'j.tenant_id = (select portcullis.tenant())',
    columns: jobColumns,
    texts: ['j.error', 'j.result_json'],
    filters: { kind: index('j.kind'), state: index('j.state') },
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
  caps: {
    name: 'policy_caps',
    from: 'portcullis.policy_caps c',
    alias: 'c',
    key: ids,
    where: 'c.tenant_id = (select portcullis.tenant()) and c.deleted_at is null',
    columns: capColumns,
    texts: ['c.name', 'c.provider_type', 'c.provider', 'c.model'],
    filters: { active: look('c.active::text = $') },
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
    partitioned: true,
    from: 'portcullis.prompt_attempts t',
    columns: attemptColumns,
    texts: `workflow provider_type provider model prompt_version prompt_hash error_type error_message`
      .split(' ')
      .map((column) => `t.${column}`),
    filters: {
      runId: index('t.run_id', { since: aDayBefore }),
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
    partitioned: true,
    from: 'portcullis.run_events t',
    columns: eventColumns,
    texts: ['t.event_type', 't.message', 't.data_json'],
    filters: {
      runId: index('t.run_id', { since: aDayBefore }),
      level: index('t.level', { only: 't.level >= 3', values: [3, 4] }),
      eventType: index('t.event_type'),
      createdAfterMs: after,
      createdBeforeMs: before,
    },
  },
  benchmarks: {
    ...byId,
    name: 'benchmarks',
    partitioned: true,
    from: 'portcullis.benchmarks t',
    columns: benchmarkColumns,
    texts: ['t.workflow', 't.provider_type', 't.provider', 't.model', 't.notes'],
    filters: { model: index('t.model'), workflow: index('t.workflow') },
  },
  kills: {
    ...byId,
    name: 'kills',
    from: 'portcullis.kills t',
    columns: killColumns('t'),
    texts: ['t.subject', 't.reason', 't.actor', 't.release_reason'],
    filters: {
      engagedAtMs: look('(t.released_at is null and coalesce(t.expires_at > to_timestamp($::float8 / 1000), true))'),
    },
  },
  drills: {
    ...byId,
    name: 'drills',
    from: 'portcullis.kill_drills t',
    columns: drillColumns,
    texts: ['t.actor'],
    filters: {},
  },
  postures: {
    ...byId,
    name: 'postures',
    from: 'portcullis.posture_reports t',
    columns: postureColumns,
    texts: ['t.target', 't.tool_version', 't.findings::text', 't.counts::text'],
    filters: { target: index('t.target') },
  },
  costHours: {
    ...byId,
    name: 'cost_hours',
    from: 'portcullis.cost_hours t',
    columns: costHourColumns,
    texts: ['t.workflow', 't.provider', 't.model', 't.sku', 't.unit_prices'],
    filters: { fromMs: after, untilMs: before },
  },
  corrections: {
    ...byId,
    name: 'cost_corrections',
    from: 'portcullis.cost_corrections t',
    columns: correctionColumns,
    texts: ['t.provider', 't.model', 't.sku', 't.provider_key'],
    filters: { fromMs: after, untilMs: before },
  },
  drift: {
    ...byId,
    name: 'cost_drift',
    from: 'portcullis.cost_drift t',
    columns: correctionColumns,
    texts: ['t.provider', 't.model', 't.sku', 't.provider_key'],
    filters: {
      alert: { by: 'index', sql: `t.alert = ($::text = 'true')`, only: 't.alert', values: ['true'] },
      provider: index('t.provider'),
      fromMs: after,
      untilMs: before,
    },
  },
  budgets: {
    name: 'budgets',
    from: 'portcullis.budgets b',
    alias: 'b',
    key: ids,
    where: 'b.tenant_id = (select portcullis.tenant()) and b.deleted_at is null',
    columns: `${budgetColumns}, ${budgetUseColumns}`,
    texts: ['b.name', 'b.subject_id', 'b.time_zone'],
    // A tenant has a thousand of them at most.
    filters: {
      subjectKind: look('b.subject_kind = $::smallint'),
      subjectId: look('b.subject_id = $'),
      active: look('b.active = $::boolean'),
    },
  },
  reservations: {
    ...byId,
    name: 'reservations',
    from: 'portcullis.reservations t',
    columns: reservationColumns,
    texts: ['t.provider', 't.model', 't.tool', 't.price_version'],
    filters: {
      runId: index('t.run_id', { only: 't.run_id is not null' }),
      agentId: index('t.agent_id', { only: 't.agent_id is not null' }),
      state: { by: 'index', sql: 't.state = $', only: 't.state = 1', values: [1] },
    },
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

/** What belongs to a run was recorded after its start, by a clock that may be behind. */
function aDayBefore(id: Value): string {
  return uuidAt(timeOf(id) - 86_400_000)
}
