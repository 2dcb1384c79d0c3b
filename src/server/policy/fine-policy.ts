import { refuse, type Caller, type Clock, type Refusal, type ServiceActions } from '#core'
import type { Call, PolicyPort } from '#gate'
import { Cedar, type Verdict } from './cedar.ts'
import { checkApart } from './check-apart.ts'
import type { CheckedSet } from './check-set.ts'
import { digestOf, folderMark, readPolicyFolder, type PolicyProblem } from './policy-folder.ts'
import { memoKey, questionOfCall, type Question } from './question.ts'
import { actionGroups, policySchema } from './schema.ts'

export interface FinePolicyParts {
  readonly dir: string
  readonly services: ServiceActions
  readonly clock: Clock
  readonly lookEveryMs: number
  /** Another set is in force. */
  readonly activated: (set: InForce) => void
  /** What is in the folder is no set, and the one before stays. */
  readonly refused: (problems: readonly PolicyProblem[]) => void
}

export interface InForce {
  /** SHA-256 of names and texts of the files. */
  readonly digest: string
  readonly policies: number
  readonly warnings: readonly PolicyProblem[]
}

type Loaded =
  { readonly ok: true; readonly inForce: InForce } | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

const memosMax = 20_000
const retryEveryLooks = 30

/** The policies of a folder, in force (SPEC G21). A set that does not validate never decides. */
export class FinePolicy implements PolicyPort {
  readonly #parts: FinePolicyParts
  readonly #groups: ReadonlyMap<string, readonly string[]>
  readonly #schema: string
  // A decision depends on the question and on the set alone; emptied with the set, and when it is full.
  readonly #memos = new Map<string, Verdict>()
  #cedar: Cedar | undefined
  #set: CheckedSet | undefined
  #digest = ''
  #mark: string | undefined
  #seen: string | undefined
  #failing = false
  #looking = false
  // Since the folder began to hold what is no set.
  #looks = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: FinePolicyParts) {
    this.#parts = parts
    this.#groups = actionGroups(parts.services)
    this.#schema = policySchema(parts.services)
  }

  /** The first set. Nothing is in force where there is none, and then everything is denied. */
  async start(): Promise<Loaded> {
    this.#cedar = await Cedar.load()
    this.#mark = this.#seen = await folderMark(this.#parts.dir)
    const loaded = await this.#load(this.#cedar)
    if (loaded.ok) {
      this.#parts.activated(loaded.inForce)
      this.#timer = setInterval(() => void this.look(), this.#parts.lookEveryMs).unref()
    }
    return loaded
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** What is in the folder now is not what decides. */
  get failing(): boolean {
    return this.#failing
  }

  /** Names the set that decides: part of the epoch that decisions for other services are kept under. */
  get digest(): string {
    return this.#digest
  }

  /**
   * Takes over what is in the folder where it has changed. It is read once it has been the same for two looks: several files that are
   * copied one after the other become one set.
   */
  async look(): Promise<void> {
    const cedar = this.#cedar
    if (cedar === undefined || this.#looking) return
    this.#looking = true
    try {
      await this.#lookWith(cedar)
    } finally {
      this.#looking = false
    }
  }

  async #lookWith(cedar: Cedar): Promise<void> {
    const mark = (await folderMark(this.#parts.dir)) ?? '(unreadable)'
    const still = mark === this.#seen
    this.#seen = mark
    this.#looks = this.#failing ? this.#looks + 1 : 0
    // What could not be read for a passing reason is tried again without a change.
    const again = this.#looks > 0 && this.#looks % retryEveryLooks === 0
    if (!still || (mark === this.#mark && !again)) return
    const changed = mark !== this.#mark
    this.#mark = mark
    const loaded = await this.#load(cedar).catch((error: unknown): Loaded => {
      const message = error instanceof Error ? error.message : String(error)
      return { ok: false, problems: [{ file: '', line: 0, message }] }
    })
    this.#failing = !loaded.ok
    if (loaded.ok) this.#parts.activated(loaded.inForce)
    else if (changed) this.#parts.refused(loaded.problems)
  }

  refusal(call: Call, caller: Caller, actor: string | undefined): Refusal | undefined {
    return this.ask(questionOfCall(call, caller, actor, this.#parts.clock.now()))
  }

  ask(question: Question): Refusal | undefined {
    const { allow, reason } = this.#verdict(question)
    return allow ? undefined : refuse('policy.denied', reason)
  }

  #verdict(question: Question): Verdict {
    if (this.#set === undefined || this.#cedar === undefined)
      return { allow: false, reason: 'no policies are in force' }
    const { mentioned } = this.#set
    const key = memoKey(question, mentioned)
    const known = key === undefined ? undefined : this.#memos.get(key)
    if (known !== undefined) return known
    const verdict = this.#cedar.decide(question, mentioned, this.#groups)
    if (this.#memos.size >= memosMax) this.#memos.clear()
    if (key !== undefined) this.#memos.set(key, verdict)
    return verdict
  }

  async #load(cedar: Cedar): Promise<Loaded> {
    const read = await readPolicyFolder(this.#parts.dir)
    if (!read.ok) return read
    const checked = await checkApart({ files: read.files, schema: this.#schema })
    if (!checked.ok) return checked
    cedar.activate(checked.set)
    this.#set = checked.set
    this.#digest = digestOf(read.files)
    this.#memos.clear()
    const policies = Object.keys(checked.set.policies).length
    return { ok: true, inForce: { digest: this.#digest, policies, warnings: checked.set.warnings } }
  }
}
