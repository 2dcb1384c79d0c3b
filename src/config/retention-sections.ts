import * as z from 'zod'
import { choice, filePath, section, type FieldMeta } from './fields.ts'
import { problem, showValue, type Problem } from './problem.ts'

const daysMax = 36_525

function days(description: string, meta: Partial<FieldMeta>) {
  return z
    .int()
    .min(1)
    .max(daysMax)
    .optional()
    .meta({ description, form: 'a number of days', ...meta } satisfies FieldMeta)
}

/** How long each log is kept, and where (SPEC L12). */
export const retention = section(
  'How long entries are kept. `portcullis ledger prune` takes them away and archives them first; by itself nothing is, unless `archiveDir` is set.',
  {
    framework: choice(
      ['none', 'hipaa', 'pci', 'soc2', 'custom'],
      'none',
      'What the logs of the retention class `default` must obey; `none` keeps them for good. Logs of the class of a framework obey that one.',
    ),
    days: days(
      'How long entries are kept at least, in the database and then in their archive. A framework cannot be undercut.',
      {
        defaultText: 'what the framework asks for: hipaa 2192, pci and soc2 366',
      },
    ),
    hotDays: days('How long they stay in the database before they may be archived and pruned.', {
      defaultText: '`days`',
    }),
    archiveDir: filePath(
      'A folder for archives: with it, and `database.maintenance`, the job `retention` does what `portcullis ledger prune` does. Every server that works on jobs must reach it.',
    ),
  },
)

export type Framework = 'hipaa' | 'pci' | 'soc2' | 'custom'
export type RetentionClass = 'default' | Framework

/** What may leave the database, and when; days count from the end of the month that an entry is of. */
export interface RetentionPolicy {
  readonly framework: Framework
  readonly keepDays: number
  readonly hotDays: number
}

interface Floor {
  readonly keepDays: number
  readonly hotDays: number
  readonly why: string
}

// The database holds a prune to the same numbers: audits.retention_floor.
const floors: Readonly<Record<Framework, Floor>> = {
  hipaa: { keepDays: 2192, hotDays: 1, why: 'HIPAA keeps records for six years (45 CFR 164.316(b)(2)(i))' },
  pci: {
    keepDays: 366,
    hotDays: 92,
    why: 'PCI DSS keeps a year of logs, the newest three months at hand (4.0.1, 10.5.1)',
  },
  soc2: { keepDays: 366, hotDays: 1, why: 'SOC 2 audits look back on a year' },
  custom: { keepDays: 1, hotDays: 1, why: 'a day is the least' },
}

interface Given {
  readonly framework: 'none' | Framework
  readonly days?: number | undefined
  readonly hotDays?: number | undefined
}

/** The policy of a retention class; undefined where its entries are kept for good. */
export function retentionPolicy(given: Given, retentionClass: RetentionClass): RetentionPolicy | undefined {
  const framework = retentionClass === 'default' ? given.framework : retentionClass
  if (framework === 'none') return undefined
  const own = given.framework === framework ? given : undefined
  if (framework === 'custom' && own?.days === undefined) return undefined
  const keepDays = own?.days ?? floors[framework].keepDays
  return { framework, keepDays, hotDays: own?.hotDays ?? keepDays }
}

/** No setting keeps entries for less time than its framework asks for. */
export function retentionIsSound({
  config,
}: {
  readonly config: { readonly audit: { readonly retention: Given } }
}): readonly Problem[] {
  const { framework, days: keepDays, hotDays } = config.audit.retention
  if (framework === 'none') {
    return (['days', 'hotDays'] as const).flatMap((name) => {
      const value = config.audit.retention[name]
      if (value === undefined) return []
      const todo = 'Set audit.retention.framework, to custom for days of your own, or remove this.'
      return [
        problem(`audit.retention.${name}`, showValue(value), 'Without a framework entries are kept for good.', todo),
      ]
    })
  }
  if (framework === 'custom' && keepDays === undefined) {
    const todo = 'Set audit.retention.days to how long entries are kept.'
    return [problem('audit.retention.days', showValue(keepDays), 'A policy of your own has no default.', todo)]
  }
  const floor = floors[framework]
  const problems: Problem[] = []
  if (keepDays !== undefined && keepDays < floor.keepDays) {
    const todo = `Set it to at least ${floor.keepDays}, or remove it.`
    problems.push(problem('audit.retention.days', showValue(keepDays), `${floor.why}.`, todo))
  }
  if (hotDays !== undefined && hotDays < floor.hotDays) {
    const todo = `Set it to at least ${floor.hotDays}, or remove it.`
    problems.push(problem('audit.retention.hotDays', showValue(hotDays), `${floor.why}.`, todo))
  }
  if (hotDays !== undefined && hotDays > (keepDays ?? floor.keepDays)) {
    const todo = 'Lower it, or raise audit.retention.days.'
    const why = 'Entries would stay in the database for longer than they are kept.'
    problems.push(problem('audit.retention.hotDays', showValue(hotDays), why, todo))
  }
  return problems
}
