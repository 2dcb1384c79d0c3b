import { randomUUID } from 'node:crypto'
import type * as CedarWasm from '@cedar-policy/cedar-wasm/nodejs'
import { told, type CheckedSet } from './check-set.ts'
import { cedarQuestion, type Mentioned, type Question } from './question.ts'

/** A decision and what it rests on, for the ledger. */
export interface Verdict {
  readonly allow: boolean
  /** Ids of the deciding policies, or why there is none. */
  readonly reason: string
}

/** Cedar as WebAssembly, deciding at once: what takes time is done when policies are loaded. */
export class Cedar {
  readonly #cedar: typeof CedarWasm
  // Prepared sets are global in the module, by name.
  readonly #name = randomUUID()

  private constructor(cedar: typeof CedarWasm) {
    this.#cedar = cedar
  }

  /** Loaded where policies are configured, and nowhere else: 4 MB. */
  static async load(): Promise<Cedar> {
    return new Cedar(await import('@cedar-policy/cedar-wasm/nodejs'))
  }

  /** From here on the set decides. Throws where it cannot: the one before stays. */
  activate({ policies }: CheckedSet): void {
    const answer = this.#cedar.preparsePolicySet(this.#name, { staticPolicies: { ...policies } })
    if (answer.type === 'failure') throw new Error(`the policies cannot be prepared: ${told(answer.errors)}`)
  }

  /** Denied is also what nothing permits, and what a policy failed on: Cedar itself would pass over that one. Throws on a fault. */
  decide(question: Question, mentioned: Mentioned, groups: ReadonlyMap<string, readonly string[]>): Verdict {
    const asked = { ...cedarQuestion(question, mentioned, groups), preparsedPolicySetId: this.#name }
    const answer = this.#cedar.statefulIsAuthorized(asked)
    if (answer.type === 'failure') throw new Error(`the policies could not be asked: ${told(answer.errors)}`)
    const { decision, diagnostics } = answer.response
    const [failed] = diagnostics.errors
    if (failed !== undefined)
      return { allow: false, reason: `policy ${failed.policyId} failed: ${failed.error.message}` }
    const ids = diagnostics.reason.toSorted().join(', ')
    if (decision === 'allow') return { allow: true, reason: `permitted by ${ids}` }
    return { allow: false, reason: ids === '' ? 'no policy permits this' : `forbidden by ${ids}` }
  }
}
