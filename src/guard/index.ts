export { exitCodeOf, runGuarded, type GuardPorts, type ScriptEnd } from './run-guarded.ts'
export { isConfirmed, operatorName, redactArgs } from './script-facts.ts'
export type { AuditDemand, Script, ScriptRecorder } from './ports.ts'
