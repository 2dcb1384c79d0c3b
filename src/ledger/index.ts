export {
  bodyBytesMax,
  encodeBody,
  type EntryAccess,
  type EntryBody,
  type EntryKind,
  type Outcome,
  type TokenEventKind,
} from './body.ts'
export { entryBytesMax, formatEntry, genesisPrev, isLogName, parseEntry, recordHash } from './entry.ts'
export type { Entry, ParsedEntry } from './entry.ts'
export { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from './proofs.ts'
export type { ConsistencyClaim, InclusionClaim } from './proofs.ts'
export { TiledTree } from './proofs-from-tiles.ts'
export { encodeBundle, parseTilePath, tileLevelsMax, tileWidth, widthIn } from './tiles.ts'
export { formatProof, openCheckpoint, parseCheckpoint, signCheckpoint, type Checkpoint } from './checkpoint.ts'
export { parseVkey, publicKeyOf, signerOf, verifierOf, vkeyOf, type NoteSigner, type NoteVerifier } from './note.ts'
export { summarizeArguments, summaryLimits, type SummaryLimits } from './summary.ts'
export { emptyRoot, Frontier, leafHash, nodeHash, rootOf } from './tree.ts'
export { verifyBlocks, verifyChain } from './verify.ts'
export { inTurns, RangePool } from './range-pool.ts'
export { ExportUnusable, verifyExport, type ExportOptions, type ExportVerdict } from './export-verify.ts'
export { BundleWriter } from './bundle-writer.ts'
export { ExportFolder, type PlannedLog } from './export-folder.ts'
export { folderOf, manifestName } from './bundle.ts'
export { planPrune, type ClassPlan, type Holding } from './retention.ts'
export { BundleTally } from './bundle-tally.ts'
export { frontierOfProof } from './frontier-proof.ts'
export type { Block } from './block.ts'
export type { ChainItem, ChainProblem, Expected, VerifyResult } from './walk.ts'
export { Flood, type Counted, type FloodBounds } from './flood.ts'
export type { LedgerRecord } from './record.ts'
export { maskText, redactText, type Redacted } from './redaction/redact.ts'
export { maskJsonText } from './redaction/mask-json.ts'
export { pseudonymWith, type Pseudonym } from './redaction/pseudonym.ts'
export { isTokenEvent, tokenEventKinds } from './token-events.ts'
export { sinkClasses } from './sinks/index.ts'
export type { Sink, SinkBatch, SinkCheckpoint, SinkEntry, SinkLog, SinkNotice } from './sinks/ports.ts'
