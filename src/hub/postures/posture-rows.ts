import type { Listed, Page, ReadScope } from '../ports.ts'

/** Checks by outcome, in the names of the contract. */
export interface PostureCounts {
  readonly fail: number
  readonly conflict: number
  readonly error: number
  readonly unknown: number
  readonly warn: number
  readonly manual: number
  readonly waived: number
  readonly notApplicable: number
  readonly pass: number
}

export interface PostureFound {
  readonly check: string
  readonly control: string
  readonly outcome: string
  readonly severity: string
  readonly fingerprint: string
  readonly path: string
  readonly line: number
  readonly detail: string
}

export interface PostureRow {
  readonly id: string
  /** In hex. */
  readonly reportSha256: string
  readonly toolVersion: string
  readonly target: string
  readonly startedAtMs: number
  readonly counts: PostureCounts
  readonly findings: readonly PostureFound[]
  readonly findingsLeftOut: number
  readonly actor: string
  readonly createdAtMs: number
}

export interface PostureOperations {
  'posture.record': { args: PostureRow; row: { readonly n: number } }
}

export interface PostureReader {
  postures(scope: ReadScope, filter: { readonly target?: string }, page: Page): Listed<PostureRow>
}
