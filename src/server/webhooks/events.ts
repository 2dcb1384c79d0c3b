import { methods } from '@portcullis/contract'
import { meansEvent, webhookEvents, type WebhookEvent } from '#config'
import type { EntryKind, Outcome } from '#ledger'

type Args = Readonly<Record<string, unknown>>
type Source = readonly [
  action: EntryKind | `/portcullis.v1.${string}`,
  outcome: Outcome | '',
  /** Whether it is one by its arguments, too. */
  is?: (args: Args) => boolean,
]

/** A policy that engaged the kill switch of its tenant, or released it. */
const turned = (on: boolean): Source => [
  '/portcullis.v1.PolicyService/SetPolicy',
  'allow',
  ({ killSwitch, killId }) => killSwitch === on && killId !== undefined,
]

/** The entries that each event is made of; the kinds of entries and the paths of methods never change. */
const sources: { readonly [Event in WebhookEvent]: readonly Source[] } = {
  'budget.threshold': [['budget.threshold', '']],
  'budget.overage': [['budget.overage', '']],
  'budget.reservation_expired': [['budget.reservation_expired', '']],
  'policy.violation': [['policy.violation', '']],
  'kill.engaged': [['/portcullis.v1.KillService/Engage', 'allow'], turned(true)],
  'kill.released': [['/portcullis.v1.KillService/Release', 'allow'], turned(false)],
  'kill.auto': [['kill.auto_engaged', 'allow']],
  'kill.alert': [['kill.auto_alert', '']],
  'cost.drift': [['cost.drift', '']],
  'token.revoked': [['token.revoked', 'allow']],
  'token.replayed': [
    ['refresh_replay', ''],
    ['code_replay', ''],
  ],
  'job.ended': [['job.ended', '']],
  'job.failed': [['job.ended', 'error']],
  'ledger.rollback': [['ledger.rollback', '']],
  'ledger.gap': [['ledger.gap', '']],
  'ledger.sink': [['ledger.sink', '']],
  'key.rotated': [['key.rotated', '']],
  'config.changed': [['config.changed', '']],
  'admin.recovered': [['admin.recovered', '']],
}

export function eventsMeant(patterns: readonly string[]): readonly WebhookEvent[] {
  return webhookEvents.filter((event) => patterns.some((pattern) => meansEvent(pattern, event)))
}

/** What these events are made of, as the two columns that the database compares with. */
export function sourcesOf(events: readonly WebhookEvent[]): {
  readonly actions: readonly string[]
  readonly outcomes: readonly string[]
} {
  const rows = events.flatMap((event) => sources[event])
  return { actions: rows.map(([action]) => action), outcomes: rows.map(([, outcome]) => outcome) }
}

/** The event that an entry is for a webhook, the most particular first: of job.ended and job.failed that is the second. */
export function eventOf(
  action: string,
  outcome: string,
  args: Args,
  wanted: readonly WebhookEvent[],
): WebhookEvent | undefined {
  const of = wanted.filter((event) =>
    sources[event].some(
      ([one, given, is]) => one === action && (given === '' || given === outcome) && is?.(args) !== false,
    ),
  )
  return of.find((event) => sources[event].every(([, given]) => given !== '')) ?? of[0]
}

/** Paths of the table that the contract does not have: none, as a test says. */
export function strangePaths(): readonly string[] {
  const paths = Object.values(sources).flatMap((rows) => rows.map(([action]) => action))
  return paths.filter((path) => path.startsWith('/') && !methods.has(path))
}
