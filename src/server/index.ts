import { methods } from '@portcullis/contract'

export { makeCheckpointKey, showCheckpointKeys } from './checkpoints/key-command.ts'
export { examine } from './examine.ts'
export { StartError } from './start-error.ts'
export { backUp } from './backup/back-up.ts'
export { restore } from './backup/restore.ts'
export { migrateWith, recoverAdminWith, serve, setPasswordWith, type Migrated } from './serve.ts'
export { listRetention, placeHold, pruneLedger, releaseHold, setRetentionClass } from './retention-commands.ts'
export { checkPolicies, showPolicySchema } from './policy/commands.ts'
export { listSecrets } from './secrets-inventory.ts'
export { rotateSecrets } from './secrets-rotate.ts'
export { rotateTokenKeys } from './oauth/rotate-command.ts'
export { down, recoverAdmin, setPassword, up, type Ready, type Running } from './up.ts'
export { fileTally, frontierOfProof, openExport, verifyExport } from './ledger-export.ts'
export { version } from './version.ts'
export { listDeadLetters, replayDeadLetters, testWebhook } from './webhooks/commands.ts'

/** The methods whose audit mode is not `required`, by their mode (SPEC L7). */
export function auditModes(): Readonly<Record<string, readonly string[]>> {
  const of = (mode: string): readonly string[] =>
    [...methods.values()].filter(({ audit }) => audit === mode).map(({ path }) => path.slice(1))
  return { best_effort: of('best_effort'), required_offbox: of('required_offbox') }
}

/** The full names of all methods, without the leading slash. */
export function methodNames(): readonly string[] {
  return [...methods.keys()].map((path) => path.slice(1))
}
