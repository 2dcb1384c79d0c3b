import type { Step } from '../chain.ts'

/** What is killed is not let in, whatever it may do otherwise; nor is anything while nobody can tell (SPEC G14). */
export const checkKill: Step = (call, { caller }, { kill }) =>
  caller === undefined ? undefined : kill?.refusal(call, caller)
