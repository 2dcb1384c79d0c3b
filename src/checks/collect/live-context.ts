import type { Safety } from '../check.ts'

/** What the live checks may reach, and as whom. */
export interface LiveContext {
  /** Origin of the HTTP listener. */
  readonly url: URL
  /** `host:port` of the gRPC listener. */
  readonly grpc: string
  /** Credential that is accepted there: the positive control of what refuses others. */
  readonly key?: string
  /** Where this process stands towards the target. */
  readonly vantage: 'host' | 'network' | 'outside'
  readonly allowed: ReadonlySet<Safety>
  /** Milliseconds until a silent target counts as away. */
  readonly timeoutMs: number
}
