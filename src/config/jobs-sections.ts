import * as z from 'zod'
import { cronProblem, timeZoneProblem } from './cron.ts'
import { choice, flag, integer, section, type FieldMeta } from './fields.ts'

const customMax = 32
const hour = 3600

const schedule = z.string().check((context) => {
  const message = context.value === 'never' ? undefined : cronProblem(context.value)
  if (message !== undefined) context.issues.push({ code: 'custom', input: context.value, message })
})
const timeZone = z.string().check((context) => {
  const message = timeZoneProblem(context.value)
  if (message !== undefined) context.issues.push({ code: 'custom', input: context.value, message })
})
const overlaps = ['refuse', 'queue', 'allow'] as const

/** A kind that is built in, with what it does where the settings say nothing. */
function kind(does: string, given: { readonly schedule?: string; readonly timeoutSeconds?: number } = {}) {
  return section(does, {
    enabled: flag(true, 'Triggers of a kind that is not are refused with `job.disabled`.'),
    schedule: schedule.default(given.schedule ?? 'never').meta({
      description: 'When it runs by itself: five fields of cron, or `never` for on demand only.',
      form: 'five fields such as 17 3 * * *, or never',
    } satisfies FieldMeta),
    timeZone: timeZone.default('UTC').meta({
      description: 'The time zone of the schedule.',
      form: 'a name such as Europe/Berlin',
    } satisfies FieldMeta),
    overlap: choice(
      overlaps,
      'refuse',
      'What a trigger does while one has not ended: `refuse` it with `job.running`, `queue` behind it, or `allow` both.',
    ),
    retries: integer(2, 0, 20, 'How often a job that failed, or whose worker died, is tried again.'),
    timeoutSeconds: integer(given.timeoutSeconds ?? hour, 1, 86_400, 'A try that takes longer is given up.'),
  })
}

/** What each kind that is built in does, by the name of its section. */
export const builtinKinds = {
  retention:
    'Drops telemetry and jobs past their time; prunes the ledger where `audit.retention.archiveDir` is set, else says how.',
  rollUp: 'Folds what has been recorded into the totals.',
  checkpoint: 'Signs and publishes a checkpoint over each log of the ledger.',
  ledgerVerification: 'Replays every log of the ledger and compares it with what was published.',
  sinkReplay: 'Waits until every sink has the ledger as it stands, and reports how far behind each is.',
  reconciliation: 'Reports what agents said they spent against what their providers billed.',
  secretAgeReport: 'Lists keys, app secrets and signing keys that are older than `jobs.secretAgeDays`.',
  budgetCheck: 'Compares what budgets say was used with the reservations behind it.',
  verify: 'Runs the live checks of `verify` that change nothing against this server, and records what they found.',
} as const

const kinds = {
  retention: kind(builtinKinds.retention, { schedule: '17 3 * * *' }),
  rollUp: kind(builtinKinds.rollUp, { timeoutSeconds: 600 }),
  checkpoint: kind(builtinKinds.checkpoint, { timeoutSeconds: 600 }),
  ledgerVerification: kind(builtinKinds.ledgerVerification, { schedule: '23 4 * * *', timeoutSeconds: 6 * hour }),
  sinkReplay: kind(builtinKinds.sinkReplay),
  reconciliation: kind(builtinKinds.reconciliation, { schedule: '41 4 * * *' }),
  secretAgeReport: kind(builtinKinds.secretAgeReport, { schedule: '0 6 * * mon', timeoutSeconds: 600 }),
  budgetCheck: kind(builtinKinds.budgetCheck, { schedule: '7 5 * * *', timeoutSeconds: 600 }),
  verify: kind(builtinKinds.verify, { schedule: '31 5 * * *', timeoutSeconds: 600 }),
}

export type BuiltinKind = keyof typeof builtinKinds

const http = z.strictObject({
  url: z.string().min(1),
  secretFile: z.string().min(1),
  timeoutMs: z.int().min(100).max(600_000).default(30_000),
  allowPrivate: z.boolean().default(false),
})

const custom = z.strictObject({
  kind: z
    .string()
    .regex(/^(?!job_)[a-z][a-z0-9-]{0,62}$/, 'A kind is named with up to 63 lower-case letters, digits and dashes.'),
  description: z.string().max(200).default(''),
  tenant: z.string().min(1).default('main'),
  enabled: z.boolean().default(true),
  schedule: schedule.default('never'),
  timeZone: timeZone.default('UTC'),
  overlap: z.enum(overlaps).default('refuse'),
  retries: z.int().min(0).max(20).default(2),
  timeoutSeconds: z.int().min(1).max(86_400).default(hour),
  http: http.optional(),
  /** A file whose default export, or export `run`, is the job. */
  moduleFile: z.string().min(1).optional(),
})

export const jobs = section('Work that runs by itself, on a schedule or on demand. See [jobs](../jobs.md).', {
  workers: integer(2, 0, 64, 'How many jobs this instance works on at a time; 0 leaves them to others.'),
  keepDays: integer(30, 1, 3650, 'How long jobs that have ended are listed.'),
  secretAgeDays: integer(90, 1, 3650, 'From when on `secret-age-report` lists a secret.'),
  kinds: section('The kinds that are built in.', kinds),
  custom: z
    .array(custom)
    .max(customMax)
    .default([])
    .meta({
      description:
        'Kinds of your own: each has `kind`, `description`, `tenant` (whose it is; `main`), what a built-in kind has (`enabled`, `schedule`, `timeZone`, `overlap`, `retries`, `timeoutSeconds`), and `http` (`url`, `secretFile`, `timeoutMs`, `allowPrivate`) or `moduleFile`.',
      form: 'a list of kinds, each with kind and http or moduleFile',
    } satisfies FieldMeta),
})
