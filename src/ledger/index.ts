export { bodyBytesMax, encodeBody, type EntryAccess, type EntryBody, type EntryKind, type Outcome } from './body.ts'
export {
  entryBytesMax,
  formatEntry,
  genesisPrev,
  isLogName,
  parseEntry,
  recordHash,
  type Entry,
  type ParsedEntry,
} from './entry.ts'
export {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
  type ConsistencyClaim,
  type InclusionClaim,
} from './proofs.ts'
export { summarizeArguments, summaryLimits, type SummaryLimits } from './summary.ts'
export { emptyRoot, Frontier, leafHash, nodeHash, rootOf } from './tree.ts'
export { verifyChain, type ChainItem, type ChainProblem, type Expected, type VerifyResult } from './verify.ts'
export { Flood, type Counted, type FloodBounds } from './flood.ts'
export type { LedgerRecord } from './record.ts'
export { maskText, redactText, type Redacted } from './redaction/redact.ts'
