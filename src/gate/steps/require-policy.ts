import type { Step } from '../chain.ts'

/** The fine policy, where there is one: it takes away from what the scopes allow, and never adds (SPEC G21). */
export const requirePolicy: Step = (call, { caller, actor }, { policy }) =>
  caller === undefined ? undefined : policy?.refusal(call, caller, actor)
