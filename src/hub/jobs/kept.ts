import { isPlatform, type Caller } from '#core'
import type { JobRow } from './job-rows.ts'
import type { JobsPort } from './ports.ts'

/**
 * The kinds that are the platform's and not this caller's: what is built in reaches across all tenants, and what it found names them. Who
 * does not run the platform may know that there are such jobs and how they stand, and no more (SPEC J1).
 */
export function keptFrom(caller: Caller, jobs: JobsPort): readonly string[] {
  if (isPlatform(caller)) return []
  return jobs.of(caller.tenant.name).flatMap(({ handler, kind }) => (handler === 'builtin' ? [kind] : []))
}

/** The row as who may not read what it found sees it. */
export function shownTo(kept: readonly string[], row: JobRow): JobRow {
  return kept.includes(row.kind) ? { ...row, actor: '', error: '', requestId: '', resultJson: '' } : row
}
