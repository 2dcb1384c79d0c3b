import { codeTrace, conversationTrace, type TraceQuantiles } from './quantiles.ts'

type Some<Item> = readonly [Item, ...Item[]]

/** One of the five agents of the demo: what it does, how often and how long. */
export interface Role {
  readonly name: string
  readonly owner: string
  readonly trace: TraceQuantiles
  /** Its share of the runs of a day. */
  readonly share: number
  /** Model calls in a run, on average. */
  readonly attemptsMean: number
  readonly workflows: Some<string>
  readonly models: Some<Model>
  readonly tools: Some<string>
  readonly tasks: Some<string>
  readonly note: string
}

export interface Model {
  readonly provider: string
  readonly name: string
  /** Nano-USD for one token. */
  readonly inputNanoUsd: number
  readonly cachedNanoUsd: number
  readonly outputNanoUsd: number
}

// Made-up names and prices: what the demo shows must not be read as a comparison of real models.
const large = model('example-large', 3000, 15_000)
const medium = model('example-medium', 1000, 5000)
const small = model('example-small', 150, 600)

export const roles: Some<Role> = [
  {
    name: 'researcher',
    owner: 'insights',
    trace: conversationTrace,
    share: 0.18,
    attemptsMean: 6,
    workflows: ['literature-review', 'market-scan'],
    models: [large, medium],
    tools: ['search', 'read-page', 'cite'],
    tasks: [
      'Compare three vector databases',
      'Summarise the week in battery research',
      'Check the claims of a white paper',
    ],
    note: 'Sources older than two years need a second one.',
  },
  {
    name: 'coder',
    owner: 'platform',
    trace: codeTrace,
    share: 0.28,
    attemptsMean: 9,
    workflows: ['fix-issue', 'add-tests', 'upgrade-dependency'],
    models: [large, medium],
    tools: ['read-file', 'edit-file', 'run-tests'],
    tasks: ['Fix the flaky upload test', 'Remove the old export job', 'Add paging to the orders list'],
    note: 'The integration tests need a database; start one before running them.',
  },
  {
    name: 'reviewer',
    owner: 'platform',
    trace: codeTrace,
    share: 0.24,
    attemptsMean: 4,
    workflows: ['review-change', 'triage-alert'],
    models: [large],
    tools: ['read-diff', 'comment'],
    tasks: ['Review the changes of the night', 'Look through the alerts of the week'],
    note: 'Migrations are reviewed by two.',
  },
  {
    name: 'summariser',
    owner: 'support',
    trace: conversationTrace,
    share: 0.18,
    attemptsMean: 2,
    workflows: ['daily-digest', 'ticket-summary'],
    models: [medium, small],
    tools: ['read-ticket', 'post-digest'],
    tasks: ['Digest for the morning meeting', 'Summaries for the open tickets'],
    note: 'Digests have at most ten lines.',
  },
  {
    name: 'translator',
    owner: 'support',
    trace: conversationTrace,
    share: 0.12,
    attemptsMean: 3,
    workflows: ['translate-docs', 'translate-ticket'],
    models: [small, medium],
    tools: ['glossary', 'read-page'],
    tasks: ['Translate the release notes', 'Translate the tickets from Lisbon'],
    note: 'Product names stay as they are.',
  },
]

/** What they work at, each once. */
export const allWorkflows: readonly string[] = [...new Set(roles.flatMap(({ workflows }) => workflows))]

export const providerType = 'api'

function model(name: string, inputNanoUsd: number, outputNanoUsd: number): Model {
  return { provider: 'example', name, inputNanoUsd, cachedNanoUsd: inputNanoUsd / 10, outputNanoUsd }
}
