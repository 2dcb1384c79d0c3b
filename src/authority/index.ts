export type { AppDirectory, AppRecord, DenialDirectory, OperatorDirectory, OperatorRecord } from './ports.ts'
export type { OwnKeys, SingleUsePort } from './ports.ts'
