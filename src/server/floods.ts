import type { Caller, Clock, Refusal } from '#core'
import { addressGroup } from '#gate'
import type { WriterPort } from '#hub'
import { Flood, maskText, type Counted, type LedgerRecord } from '#ledger'
import { countedRecord, type CountedEvents } from './counted-record.ts'

const lookEveryMs = 1000
const pathCharsMax = 200

type About = Pick<CountedEvents, 'kind' | 'outcome' | 'code' | 'method' | 'remote' | 'bypass' | 'caller' | 'sample'>

/**
 * What could fill the ledger, written as a few entries each and then as counts (SPEC L14): refusals of callers that nobody knows,
 * refusals of one known caller for one reason by one method, and public reads. Addresses of IPv6 are counted by their /64.
 */
export class Floods {
  readonly #writer: WriterPort
  readonly #clock: Clock
  readonly #lost: (counted: Pick<Counted<About>, 'subject' | 'count'>, why: unknown) => void
  readonly #fromBypass: (remote: string) => boolean
  readonly #strangers = new Flood<About>()
  readonly #callers = new Flood<About>({ ownEntries: 50, subjectsMax: 4096 })
  readonly #reads = new Flood<About>()
  readonly #timer: NodeJS.Timeout
  #unknownMethods = 0

  /** `lost` is told of counts that could not be written, for the log; `fromBypass` says whether an address lies in a bypass network. */
  constructor(
    writer: WriterPort,
    clock: Clock,
    lost: (counted: Pick<Counted<About>, 'subject' | 'count'>, why: unknown) => void,
    fromBypass: (remote: string) => boolean = () => false,
  ) {
    this.#fromBypass = fromBypass
    this.#writer = writer
    this.#clock = clock
    this.#lost = lost
    this.#timer = setInterval(() => void this.flush(), lookEveryMs)
    this.#timer.unref()
  }

  /** Calls of methods that the contract does not have, and of paths in ways that they do not take, since the start. */
  get unknownMethods(): number {
    return this.#unknownMethods
  }

  /** A refusal, or failure, of a call of a caller that nobody knows; `outcome` is that of the record. */
  async anonymous(
    remote: string,
    code: string,
    record: () => LedgerRecord,
    outcome: 'deny' | 'error' = 'deny',
  ): Promise<void> {
    const group = addressGroup(remote)
    const about = (): About => {
      const { action, requestId } = record()
      const sample = requestId === undefined ? undefined : { method: action, requestId }
      const bypass = this.#fromBypass(remote)
      return { kind: 'denials.counted', outcome, code, remote: group, bypass, sample }
    }
    if (!this.#strangers.own(`${outcome} ${code} ${group}`, this.#clock.now(), about)) return
    await this.#writer.submit({ tenantId: undefined, record })
  }

  /** True where this refusal, or failure, of a call by a known caller gets an entry of its own; else it has been counted. */
  ownDenial(caller: Caller, code: string, method: string, remote: string, outcome: 'deny' | 'error' = 'deny'): boolean {
    const about = (): About => {
      return { kind: 'denials.counted', outcome, code, method, remote, bypass: this.#fromBypass(remote), caller }
    }
    return this.#callers.own(`${code} ${method} ${caller.tenant.id} ${caller.id}`, this.#clock.now(), about)
  }

  /** True where this public read gets an entry of its own; else it has been counted. */
  ownRead(remote: string, method: string): boolean {
    const group = addressGroup(remote)
    const about = (): About => {
      return { kind: 'reads.counted', outcome: 'allow', method, remote: group, bypass: this.#fromBypass(remote) }
    }
    return this.#reads.own(`${method} ${group}`, this.#clock.now(), about)
  }

  /** `verb`: of HTTP, where the path is known and does not take it. */
  async unknownMethod(remote: string, path: string, refusal: Refusal, verb?: string): Promise<void> {
    this.#unknownMethods += 1
    const sample = maskText(path.slice(0, pathCharsMax).toWellFormed().replaceAll('\0', ''))
    const nowMs = this.#clock.now()
    await this.anonymous(remote, refusal.code, () =>
      countedRecord(
        {
          kind: 'denials.counted',
          outcome: 'deny',
          count: 1,
          firstAtMs: nowMs,
          lastAtMs: nowMs,
          code: refusal.code,
          remote,
          bypass: this.#fromBypass(remote),
          reason: refusal.reason,
          sample: verb === undefined ? { path: sample } : { path: sample, verb },
        },
        nowMs,
      ),
    )
  }

  /** Writes the counts of windows that have ended; all of them where `end` says that the process stops. */
  async flush(end = false): Promise<void> {
    const nowMs = this.#clock.now()
    const floods = [
      [this.#strangers, manyDenials],
      [this.#callers, manyDenials],
      [this.#reads, manyReads],
    ] as const
    const due = floods.flatMap(([flood, many]) =>
      flood.due(nowMs, end).map((one) => ({ ...one, about: one.about ?? many })),
    )
    await Promise.all(due.map((one) => this.#write(one, nowMs)))
  }

  /** Writes what was counted and not yet written. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush(true)
  }

  async #write(counted: Counted<About> & { readonly about: About }, nowMs: number): Promise<void> {
    const { about, count, firstAtMs, lastAtMs } = counted
    const { kind, outcome, ...sample } = about
    const reason = `${count} ${kind === 'reads.counted' ? 'reads' : 'refusals'} counted together`
    const record = countedRecord({ ...sample, kind, outcome, count, firstAtMs, lastAtMs, reason }, nowMs)
    try {
      const written = await this.#writer.submit({ tenantId: record.tenantId, record: () => record })
      if (written.refused) this.#lost(counted, written.reason)
    } catch (error) {
      this.#lost(counted, error)
    }
  }
}

// Of more subjects than are told apart.
const manyDenials: About = { kind: 'denials.counted', outcome: 'deny', code: 'others' }
const manyReads: About = { kind: 'reads.counted', outcome: 'allow' }
