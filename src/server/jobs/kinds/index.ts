import type { BuiltinKind } from '#config'
import type { JobHandler } from '../job.ts'
import { retention, rollUp } from './housekeeping.ts'
import { checkpoint, ledgerVerification, sinkReplay } from './ledger.ts'
import { budgetCheck, reconciliation, secretAgeReport } from './reports.ts'
import type { JobTools } from './tools.ts'
import { verify } from './verify.ts'

export type { JobTools } from './tools.ts'

/** The kinds that are built in, by the name of their settings. */
export const builtins: Readonly<Record<BuiltinKind, (tools: JobTools) => JobHandler>> = {
  retention,
  rollUp,
  checkpoint,
  ledgerVerification,
  sinkReplay,
  reconciliation,
  secretAgeReport,
  budgetCheck,
  verify,
}
