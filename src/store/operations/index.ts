import type { OperationName } from '#hub'
import * as apps from './apps.ts'
import * as certificates from './certificates.ts'
import * as identities from './identities.ts'
import * as ingest from './ingest.ts'
import { recordPosture } from './postures.ts'
import * as runs from './runs.ts'
import * as boards from './boards.ts'
import * as jobs from './jobs.ts'
import { importUsage } from './costs.ts'
import { commitOAuth } from './oauth.ts'
import * as kills from './kills.ts'
import * as operators from './operators.ts'
import { rotateKey } from './rotate-key.ts'
import * as signingKeys from './signing-keys.ts'
import * as policies from './policies.ts'
import { destroyPseudonymKey } from './pseudonym-keys.ts'
import * as scripts from './scripts.ts'
import * as sessions from './sessions.ts'
import { deleteBudget, putBudget } from './budgets.ts'
import { openSpending } from './spend.ts'
import type { OperationStatement } from './statement.ts'

/**
 * Every kind of operation with its statement, in the order in which a batch runs them: what makes rows comes before what
 * refers to them. The order is the same on every replica, so that two batches cannot deadlock.
 */
export const operations: ReadonlyMap<OperationName, OperationStatement> = new Map<OperationName, OperationStatement>([
  ['tenant.create', identities.createTenant],
  ['tenant.disable', identities.disableTenant],
  ['kill.engage', kills.engageKill],
  ['kill.release', kills.releaseKill],
  ['session.open', sessions.openSession],
  ['operator.create', operators.createOperator],
  ['operator.disable', operators.disableOperator],
  ['password.set', sessions.setPassword],
  ['session.start', sessions.startSession],
  ['session.start_app', sessions.startAppSession],
  ['session.close', sessions.closeSession],
  ['session.revoke', sessions.revokeSession],
  ['agent.create', identities.createAgent],
  ['agent.disable', identities.disableAgent],
  ['key.create', identities.createKey],
  ['key.revoke', identities.revokeKey],
  ['key.rotate', rotateKey],
  ['signing_key.create', signingKeys.createSigningKey],
  ['signing_key.revoke', signingKeys.revokeSigningKey],
  ['certificate.bind', certificates.bindCertificate],
  ['certificate.revoke', certificates.revokeCertificate],
  ['app.create', apps.createApp],
  ['app.rotate_secret', apps.rotateAppSecret],
  ['app.disable', apps.disableApp],
  ['oauth.commit', commitOAuth],
  ['pseudonym_key.destroy', destroyPseudonymKey],
  ['policy.set', policies.setPolicy],
  ['policy_cap.put', policies.putCap],
  ['policy_cap.delete', policies.deleteCap],
  ['task.create', boards.createTask],
  ['task.update', boards.updateTask],
  ['task.delete', boards.deleteTask],
  ['note.create', boards.createNote],
  ['changelog.append', boards.appendChangelog],
  ['script.record', scripts.recordScript],
  ['workflow.publish', boards.publishWorkflow],
  ['spans.claim', ingest.claimSpans],
  ['run.start', runs.startRun],
  ['run.trace', ingest.traceRun],
  ['attempt.record', runs.recordAttempt],
  ['event.record', runs.recordEvent],
  ['budget.put', putBudget],
  ['budget.delete', deleteBudget],
  ['spend', openSpending],
  ['benchmark.record', boards.recordBenchmark],
  ['run.finish', runs.finishRun],
  ['cost.import', importUsage],
  ['kill.cancel', kills.cancelKilled],
  ['kill.finish', kills.finishKill],
  ['drill.record', kills.recordDrill],
  ['posture.record', recordPosture],
  ['job.trigger', jobs.triggerJob],
  ['job.cancel', jobs.cancelJob],
])
