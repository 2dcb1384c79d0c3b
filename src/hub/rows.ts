/**
 * The work of each kind of write: the arguments of one member and the row that its statement answers with. A member without a
 * row was refused by the database: its object is not there for this caller. `verdict` other than `done` names a refusal.
 * Ids are bare UUIDs, times are milliseconds since the epoch, 64-bit numbers are decimal strings.
 */
export interface Operations {
  'run.start': { args: RunStart; row: Done }
  'run.finish': { args: RunFinish; row: RunRow & { readonly verdict: 'done' | 'object.state' } }
  'attempt.record': { args: AttemptRecord; row: AttemptRow }
  'event.record': { args: EventRecord; row: { readonly agentId: string | null } }
  'agent.create': { args: AgentCreate; row: Done }
  'agent.disable': { args: { readonly id: string; readonly atMs: number }; row: AgentRow }
  'key.create': { args: KeyCreate; row: { readonly verdict: 'done' | 'object.state' } }
  'key.revoke': { args: KeyRevoke; row: KeyRow }
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

export interface KeyCreate {
  readonly id: string
  readonly agentId: string
  /** Hex. */
  readonly digest: string
  readonly scopes: readonly string[]
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly allowedCidrs: readonly string[]
  readonly ratePerSecond: number | null
  readonly rateBurst: number | null
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
}

export interface KeyRevoke {
  readonly id: string
  /** The keys of operators are not there for this caller. */
  readonly agentKeysOnly: boolean
  readonly atMs: number
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
  readonly notes: string
  readonly createdAtMs: number
}

export interface SessionOpen {
  readonly codeDigest: string
  readonly sessionDigest: string
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

export interface KeyRow {
  readonly id: string
  readonly agentId: string | null
  readonly scopes: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly revokedAtMs: number | null
  readonly lastUsedAtMs: number | null
  readonly allowedModels: readonly string[]
  readonly allowedTools: readonly string[]
  readonly allowedCidrs: readonly string[]
  readonly ratePerSecond: number | null
  readonly rateBurst: number | null
}

export interface TenantRow {
  readonly id: string
  readonly name: string
  readonly createdAtMs: number
  readonly disabledAtMs: number | null
}

/** Null where a row of that phase is there already. */
interface ScriptRow {
  readonly verdict: 'done' | 'object.state'
  readonly recordedAtMs: number | null
}

/** One phase of a run of a guarded script. */
export interface ScriptRecord {
  readonly id: string
  readonly phase: 'intent' | 'outcome'
  /** The outcome of an intent that is recorded. */
  readonly announced: boolean
  readonly name: string
  readonly operator: string
  readonly args: readonly string[]
  readonly destructive: boolean
  readonly confirmed: boolean
  readonly exitCode: number | null
  readonly signal: string | null
  readonly durationMs: string | null
}
