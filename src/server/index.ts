import { methods } from '@portcullis/contract'

export { StartError } from './start-error.ts'
export { migrateWith, recoverAdminWith, serve, type Migrated } from './serve.ts'
export { down, recoverAdmin, up, type Ready, type Running } from './up.ts'
export { exportTally, verifyExport, type ExportTally } from './ledger-export.ts'
export { version } from './version.ts'

/** The full names of all methods, without the leading slash. */
export function methodNames(): readonly string[] {
  return [...methods.keys()].map((path) => path.slice(1))
}
