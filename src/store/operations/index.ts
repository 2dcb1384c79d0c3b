import type { OperationName } from '#hub'
import * as apps from './apps.ts'
import * as certificates from './certificates.ts'
import * as identities from './identities.ts'
import * as runs from './runs.ts'
import * as boards from './boards.ts'
import { commitOAuth } from './oauth.ts'
import * as operators from './operators.ts'
import { rotateKey } from './rotate-key.ts'
import * as signingKeys from './signing-keys.ts'
import { destroyPseudonymKey } from './pseudonym-keys.ts'
import * as scripts from './scripts.ts'
import * as sessions from './sessions.ts'
import type { OperationStatement } from './statement.ts'

/**
 * Every kind of operation with its statement, in the order in which a batch runs them: what makes rows comes before what
 * refers to them. The order is the same on every replica, so that two batches cannot deadlock.
 */
export const operations: ReadonlyMap<OperationName, OperationStatement> = new Map<OperationName, OperationStatement>([
  ['tenant.create', identities.createTenant],
  ['tenant.disable', identities.disableTenant],
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
  ['task.create', boards.createTask],
  ['task.update', boards.updateTask],
  ['task.delete', boards.deleteTask],
  ['note.create', boards.createNote],
  ['changelog.append', boards.appendChangelog],
  ['script.record', scripts.recordScript],
  ['workflow.publish', boards.publishWorkflow],
  ['run.start', runs.startRun],
  ['attempt.record', runs.recordAttempt],
  ['event.record', runs.recordEvent],
  ['benchmark.record', boards.recordBenchmark],
  ['run.finish', runs.finishRun],
])
