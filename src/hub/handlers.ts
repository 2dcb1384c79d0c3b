import { methods } from '@portcullis/contract'
import { entryHandlers } from './entries/handlers.ts'
import { tokenEventHandlers } from './entries/token-events.ts'
import { pseudonymHandlers } from './entries/pseudonyms.ts'
import { logHandlers } from './entries/verify.ts'
import type { Handler } from './handler.ts'
import { certificateHandlers } from './identities/certificates.ts'
import { appHandlers } from './identities/apps.ts'
import { identityHandlers } from './identities/handlers.ts'
import { rotateKey } from './identities/rotate-key.ts'
import { signingKeyHandlers } from './identities/signing-keys.ts'
import { operatorHandlers } from './identities/operators.ts'
import { sessionHandlers } from './identities/sessions.ts'
import { proofHandlers } from './proofs/handlers.ts'
import { costHandlers } from './costs/handlers.ts'
import { runReads } from './runs/reads.ts'
import { attemptHandlers } from './runs/attempts.ts'
import { batchHandlers } from './runs/batch.ts'
import { benchmarkHandlers } from './runs/benchmarks.ts'
import { eventHandlers } from './runs/events.ts'
import { runWrites } from './runs/writes.ts'
import { authorizationHandlers } from './authorization/handlers.ts'
import { budgetHandlers } from './budgets/handlers.ts'
import { spendHandlers } from './budgets/spend-handlers.ts'
import { boardHandlers } from './boards/handlers.ts'
import { drillHandlers } from './kills/drills.ts'
import { postureHandlers } from './postures/handlers.ts'
import { ingestHandlers } from './ingest/handlers.ts'
import { jobHandlers } from './jobs/handlers.ts'
import { killHandlers } from './kills/handlers.ts'
import { watchHandlers } from './kills/watch.ts'
import { opsHandlers } from './ops/handlers.ts'
import { overviewHandlers } from './overview/handlers.ts'
import { analyticsHandlers } from './analytics/handlers.ts'
import { policyHandlers } from './policies/handlers.ts'
import { tenantHandlers } from './tenants/handlers.ts'

const list: readonly Handler[] = [
  ...runWrites,
  ...attemptHandlers,
  ...eventHandlers,
  ...benchmarkHandlers,
  ...batchHandlers,
  ...ingestHandlers,
  ...authorizationHandlers,
  ...spendHandlers,
  ...budgetHandlers,
  ...boardHandlers,
  ...opsHandlers,
  ...overviewHandlers,
  ...runReads,
  ...identityHandlers,
  rotateKey,
  ...signingKeyHandlers,
  ...appHandlers,
  ...operatorHandlers,
  ...sessionHandlers,
  ...certificateHandlers,
  ...tenantHandlers,
  ...policyHandlers,
  ...analyticsHandlers,
  ...entryHandlers,
  ...logHandlers,
  ...tokenEventHandlers,
  ...pseudonymHandlers,
  ...proofHandlers,
  ...costHandlers,
  ...jobHandlers,
  ...killHandlers,
  ...drillHandlers,
  ...postureHandlers,
  ...watchHandlers,
]

/** What each method does, by path. Public reads are answered by the server itself. */
export const handlers: ReadonlyMap<string, Handler> = new Map(list.map((handler) => [handler.method.path, handler]))

/** Methods of the contract without a handler: the server does not start with any. */
export function unhandledMethods(): readonly string[] {
  return [...methods.values()]
    .filter(({ access, path }) => access !== 'public_read' && !handlers.has(path))
    .map(({ path }) => path)
}
