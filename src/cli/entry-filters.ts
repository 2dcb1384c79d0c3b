import { Option, type Command } from 'commander'
import { parseMoment } from './values.ts'

/** What chooses entries, for every command that lists them. */
export interface EntryFilters {
  readonly caller?: string
  readonly action?: string
  readonly outcome?: string
  readonly code?: string
  readonly requestId?: string
  readonly tenant?: string
  readonly after?: string
  readonly before?: string
}

export function withEntryFilters(command: Command): Command {
  return command
    .option('--caller <id>', 'only the entries of this caller')
    .option('--action <name>', 'only the entries of this method or kind of event')
    .addOption(
      new Option('--outcome <outcome>', 'only the entries with this outcome').choices(['allow', 'deny', 'error']),
    )
    .option('--code <code>', 'only the entries with this refusal code')
    .option('--request-id <id>', 'only the entries of this request')
    .option('--tenant <id>', 'only the entries about this tenant, by name or id: yours; for the log `system`')
    .option('--after <time>', 'only entries after this time, such as 2026-11-21T00:00:00Z', parseMoment)
    .option('--before <time>', 'only entries before this time', parseMoment)
}

export function filtersOf(options: EntryFilters): EntryFilters {
  const { caller, action, outcome, code, requestId, tenant, after, before } = options
  const given = { caller, action, outcome, code, requestId, tenant, after, before }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
