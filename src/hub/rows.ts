import type { AppCreate, AppRotated, AppRotateSecret, AppRow } from './identities/app-rows.ts'
import type {
  CertificateBind,
  CertificateRow,
  KeyCreate,
  KeyRevoke,
  KeyRotate,
  KeyRotated,
  KeyRow,
  SigningKeyCreate,
  SigningKeyRevoke,
  SigningKeyRow,
} from './identities/key-rows.ts'
import type {
  AppSessionStart,
  OperatorCreate,
  OperatorDisable,
  OperatorRow,
  PasswordSet,
  SessionOpen,
  SessionOwner,
  SessionRevoke,
  SessionRow,
  SessionStart,
} from './identities/people-rows.ts'
import type { IngestOperations } from './ingest/ports.ts'
import type { KillOperations } from './kills/kill-rows.ts'
import type { CapBefore, CapPut, CapRow, PolicyRow, PolicySet } from './policies/policy-rows.ts'
import type { JobCancel, JobRow, JobTrigger, JobTriggered } from './jobs/job-rows.ts'
import type { UsageImport, UsageImported } from './costs/cost-rows.ts'
import type { BudgetPut, BudgetPutRow, BudgetRow, SpendArgs, SpendRow } from './budgets/spend-rows.ts'
import type { PostureOperations } from './postures/posture-rows.ts'
import type { ScriptRecord, ScriptRow } from './ops/script-rows.ts'
export type * from './budgets/spend-rows.ts'
export type * from './identities/app-rows.ts'
export type * from './identities/key-rows.ts'
export type * from './identities/people-rows.ts'
export type * from './ingest/ports.ts'
export type * from './kills/kill-rows.ts'
export type * from './jobs/job-rows.ts'
export type * from './jobs/ports.ts'
export type * from './costs/ports.ts'
export type * from './costs/cost-rows.ts'
export type * from './analytics/analytics-rows.ts'
export type * from './ops/script-rows.ts'
export type * from './policies/ports.ts'
export type * from './policies/policy-rows.ts'
export type * from './postures/posture-rows.ts'

/**
 * The work of each kind of write: the arguments of one member and the row that its statement answers with. A member without a
 * row was refused by the database: its object is not there for this caller. `verdict` other than `done` names a refusal.
 * Ids are bare UUIDs, times are milliseconds since the epoch, 64-bit numbers are decimal strings.
 */
export interface Operations extends KillOperations, IngestOperations, PostureOperations {
  'run.start': { args: RunStart; row: Done }
  'run.finish': { args: RunFinish; row: RunRow & { readonly verdict: 'done' | 'object.state' } }
  'attempt.record': { args: AttemptRecord; row: AttemptRow }
  'event.record': { args: EventRecord; row: { readonly agentId: string | null } }
  'agent.create': { args: AgentCreate; row: Done }
  'agent.disable': { args: { readonly id: string; readonly atMs: number }; row: AgentRow }
  'key.create': { args: KeyCreate; row: { readonly verdict: 'done' | 'object.state' } }
  'key.revoke': { args: KeyRevoke; row: KeyRow }
  'key.rotate': { args: KeyRotate; row: KeyRow & { readonly verdict: KeyRotated; readonly missing: readonly string[] } }
  'signing_key.create': { args: SigningKeyCreate; row: { readonly verdict: 'done' | 'object.state' } }
  'signing_key.revoke': { args: SigningKeyRevoke; row: SigningKeyRow }
  'certificate.bind': { args: CertificateBind; row: { readonly verdict: 'done' | 'object.state' | 'object.exists' } }
  'certificate.revoke': { args: { readonly id: string; readonly atMs: number }; row: CertificateRow }
  'app.create': { args: AppCreate; row: { readonly verdict: 'done' | 'object.state' | 'object.exists' } }
  'app.rotate_secret': { args: AppRotateSecret; row: AppRow & { readonly verdict: AppRotated } }
  'app.disable': { args: { readonly id: string; readonly atMs: number }; row: AppRow }
  'oauth.commit': { args: { readonly writes: object }; row: { readonly verdict: 'done' | 'replayed' | 'lost' } }
  'tenant.create': { args: TenantCreate; row: { readonly createdAtMs: number } }
  'tenant.disable': { args: { readonly id: string }; row: TenantRow }
  'task.create': { args: TaskRow; row: Done }
  'task.update': { args: TaskUpdate; row: TaskRow }
  'task.delete': { args: { readonly id: string; readonly ownerAgentId: string | null }; row: Done }
  'note.create': { args: NoteRow; row: Done }
  'changelog.append': { args: ChangelogRow; row: Done }
  'benchmark.record': { args: BenchmarkRow; row: Done }
  'workflow.publish': { args: { readonly workflow: string; readonly published: boolean }; row: Done }
  'pseudonym_key.destroy': {
    args: { readonly tenantId: string; readonly version: number }
    row: { readonly destroyedAtMs: number }
  }
  'script.record': { args: ScriptRecord; row: ScriptRow }
  'operator.create': { args: OperatorCreate; row: { readonly verdict: 'done' | 'object.exists' } }
  'operator.disable': { args: OperatorDisable; row: OperatorRow }
  'session.revoke': { args: SessionRevoke; row: SessionRow }
  'session.start': { args: SessionStart; row: Done }
  'session.close': { args: { readonly sessionDigest: string }; row: SessionOwner }
  'session.start_app': { args: AppSessionStart; row: Done }
  'password.set': { args: PasswordSet; row: SessionOwner }
  'policy.set': { args: PolicySet; row: PolicyRow }
  'policy_cap.put': { args: CapPut; row: CapBefore }
  'policy_cap.delete': { args: { readonly id: string; readonly atMs: number }; row: CapRow }
  'job.trigger': { args: JobTrigger; row: JobTriggered }
  'job.cancel': { args: JobCancel; row: JobRow & { readonly verdict: 'done' | 'object.state' } }
  'cost.import': { args: UsageImport; row: UsageImported }
  'budget.put': { args: BudgetPut; row: BudgetPutRow }
  'budget.delete': { args: { readonly id: string; readonly atMs: number }; row: BudgetRow }
  spend: { args: SpendArgs; row: SpendRow }
  'session.open': { args: SessionOpen; row: { readonly operatorId: string; readonly tenantId: string } }
}
export type OperationName = keyof Operations
export type OperationRow = Operations[OperationName]['row']

/** The row says only that the work was done. */
type Done = { readonly n: number }

export interface RunStart {
  readonly id: string
  readonly taskId: string
  readonly workflow: string
  readonly agentId: string | null
  readonly promptVersion: string
  readonly modelPolicy: string
  readonly status: number
  readonly maxRetries: number
  readonly startedAtMs: number
  /** The key it was begun with, if any. */
  readonly keyId: string | null
}

export interface RunFinish {
  readonly id: string
  /** Where set, only a run of this agent is there. */
  readonly ownerAgentId: string | null
  readonly status: number
  readonly lastError: string
  readonly finishedAtMs: number
}

export interface TokenColumns {
  readonly inputTokens: string
  readonly cachedReadTokens: string
  readonly cacheWriteTokens: string
  readonly outputTokens: string
  readonly reasoningTokens: string
}

export interface AttemptRecord extends TokenColumns {
  readonly id: string
  readonly runId: string
  readonly ownerAgentId: string | null
  readonly attemptNumber: number
  readonly workflow: string
  readonly providerType: string
  readonly provider: string
  readonly model: string
  readonly promptVersion: string
  readonly promptHash: string
  readonly outcome: number
  readonly errorType: string
  readonly errorMessage: string
  readonly costNanoUsd: string
  readonly reportedCostNanoUsd: string
  /** Of the prices that the cost was made with; empty where it is what was reported. */
  readonly priceVersion: string
  /** What charges add up by: see `Quote` and `PricePort.skuOf`. */
  readonly unitPrices: string
  readonly sku: string
  readonly latencyMs: string
  readonly qualityScoreMilli: number
  readonly createdAtMs: number
}

export interface AttemptRow {
  readonly workflow: string
  readonly promptVersion: string
  readonly agentId: string | null
}

export interface EventRecord {
  readonly id: string
  readonly runId: string
  readonly ownerAgentId: string | null
  readonly eventType: string
  readonly level: number
  readonly message: string
  readonly dataJson: string
  readonly createdAtMs: number
}

export interface AgentCreate {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly labels: Readonly<Record<string, string>>
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly createdAtMs: number
}

export interface TenantCreate {
  readonly id: string
  readonly name: string
  readonly operatorId: string
  readonly keyId: string
  readonly keyDigest: string
  readonly keyScopes: readonly string[]
}

export interface TaskRow {
  readonly id: string
  readonly agentId: string | null
  readonly title: string
  readonly details: string
  readonly status: number
  readonly tags: readonly string[]
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** Null keeps what is there. */
export interface TaskUpdate {
  readonly id: string
  /** Where set, only a task of this agent is there. */
  readonly ownerAgentId: string | null
  readonly title: string | null
  readonly details: string | null
  readonly status: number | null
  readonly tags: readonly string[] | null
  readonly updatedAtMs: number
}

export interface NoteRow {
  readonly id: string
  readonly title: string
  readonly body: string
  readonly tags: readonly string[]
  readonly createdAtMs: number
}

export interface ChangelogRow {
  readonly id: string
  readonly category: string
  readonly summary: string
  readonly details: string
  readonly actor: string
  readonly createdAtMs: number
}

export interface BenchmarkRow extends TokenColumns {
  readonly id: string
  readonly workflow: string
  readonly agentId: string | null
  readonly providerType: string
  readonly provider: string
  readonly model: string
  readonly costNanoUsd: string
  readonly latencyMs: string
  readonly qualityScoreMilli: number
  readonly samples: string
  readonly notes: string
  readonly createdAtMs: number
}

/** A run as stored; status is the number of TaskState. */
export interface RunRow extends TokenColumns {
  readonly id: string
  readonly taskId: string
  readonly workflow: string
  readonly agentId: string | null
  readonly promptVersion: string
  readonly modelPolicy: string
  readonly status: number
  readonly maxRetries: number
  readonly totalAttempts: string
  readonly successAttempts: string
  readonly failedAttempts: string
  readonly costNanoUsd: string
  readonly lastError: string
  readonly startedAtMs: number
  readonly finishedAtMs: number | null
}

export interface AgentRow {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly labels: Readonly<Record<string, string>>
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly createdAtMs: number
  readonly disabledAtMs: number | null
}

export interface TenantRow {
  readonly id: string
  readonly name: string
  readonly createdAtMs: number
  readonly disabledAtMs: number | null
}
