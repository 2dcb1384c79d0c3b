/** What a list of records gives as a table: the method, the name of its rows, and the columns, `tokens.input` being inside. */
export interface RecordKind {
  readonly method: string
  readonly rows: string
  readonly columns: readonly string[]
  /** Options that it can be narrowed by, and what the method calls them. */
  readonly filters: Readonly<Partial<Record<FilterName, string>>>
}

export type FilterName = 'workflow' | 'model' | 'run' | 'after' | 'before'

const tokens = ['input', 'cachedRead', 'cacheWrite', 'output', 'reasoning'].map((name) => `tokens.${name}`)

export const recordKinds = {
  attempts: {
    method: 'HubService/ListPromptAttempts',
    rows: 'attempts',
    columns: [
      ...words('id runId attemptNumber workflow agentId providerType provider model promptVersion promptHash outcome'),
      ...words('errorType errorMessage'),
      ...tokens,
      ...words('costNanoUsd reportedCostNanoUsd priceUnknown priceVersion latencyMs qualityScoreMilli createdAt'),
    ],
    filters: { workflow: 'workflow', model: 'model', run: 'runId', after: 'createdAfter', before: 'createdBefore' },
  },
  runs: {
    method: 'HubService/ListRuns',
    rows: 'runs',
    columns: [
      ...words('id taskId workflow agentId promptVersion modelPolicy status maxRetries totalAttempts successAttempts'),
      'failedAttempts',
      ...tokens,
      ...words('costNanoUsd durationMs lastError startedAt finishedAt'),
    ],
    filters: { workflow: 'workflow', run: 'runId', after: 'startedAfter', before: 'startedBefore' },
  },
  events: {
    method: 'HubService/ListRunEvents',
    rows: 'events',
    columns: words('id runId agentId eventType level message dataJson createdAt'),
    filters: { run: 'runId', after: 'createdAfter', before: 'createdBefore' },
  },
  tasks: {
    method: 'HubService/ListTasks',
    rows: 'tasks',
    columns: words('id title details status tags createdAt updatedAt'),
    filters: {},
  },
  notes: { method: 'HubService/ListNotes', rows: 'notes', columns: words('id title body tags createdAt'), filters: {} },
  changelog: {
    method: 'HubService/ListChangelog',
    rows: 'entries',
    columns: words('id category summary details actor createdAt'),
    filters: {},
  },
  benchmarks: {
    method: 'HubService/ListBenchmarks',
    rows: 'benchmarks',
    columns: [
      ...words('id workflow agentId providerType provider model'),
      ...tokens,
      ...words('costNanoUsd latencyMs qualityScoreMilli samples notes createdAt'),
    ],
    filters: { workflow: 'workflow', model: 'model' },
  },
} as const satisfies Record<string, RecordKind>

function words(text: string): readonly string[] {
  return text.split(' ')
}

/** The text of one cell: what is inside another object, lists and objects as JSON. */
export function cellText(row: unknown, column: string): string {
  let value: unknown = row
  for (const name of column.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
  }
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}
