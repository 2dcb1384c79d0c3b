export type { Handler, HandlerContext } from './handler.ts'
export { bare } from './handler.ts'
export { handlers } from './handlers.ts'
export {
  effect,
  type AgentRow,
  type Answer,
  type Effect,
  type EntryFilter,
  type EntryRow,
  type Idempotency,
  type KeyRow,
  type OperationName,
  type OperationRow,
  type Page,
  type ReaderPort,
  type ReadScope,
  type RecordedOutcome,
  type RunFilter,
  type RunRow,
  type Summary,
  type TenantRow,
  type WriteResult,
  type WriterMember,
  type WriterPort,
} from './ports.ts'
