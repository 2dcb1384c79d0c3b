import { publicId, uuidv7, type Clock, type Refusal } from '#core'
import type { WriterPort } from '#hub'
import { encodeBody, Flood, type Counted, type LedgerRecord } from '#ledger'

const lookEveryMs = 1000

/** Refusals of callers that nobody knows: a few entries each, then counts, in the log `system` (SPEC L14). */
export class Floods {
  readonly #writer: WriterPort
  readonly #clock: Clock
  readonly #lost: (counted: Counted, why: unknown) => void
  readonly #flood = new Flood()
  readonly #timer: NodeJS.Timeout
  #unknownMethods = 0

  /** `lost` is told of counts that could not be written, for the log. */
  constructor(writer: WriterPort, clock: Clock, lost: (counted: Counted, why: unknown) => void) {
    this.#writer = writer
    this.#clock = clock
    this.#lost = lost
    this.#timer = setInterval(() => void this.#write(this.#flood.due(clock.now())), lookEveryMs)
    this.#timer.unref()
  }

  /** Calls of methods that the contract does not have, since the start. */
  get unknownMethods(): number {
    return this.#unknownMethods
  }

  async anonymous(remote: string, code: string, record: () => LedgerRecord): Promise<void> {
    if (!this.#flood.own(`${code} ${remote}`, this.#clock.now())) return
    await this.#writer.submit({ tenantId: undefined, record })
  }

  async unknownMethod(remote: string, path: string, refusal: Refusal): Promise<void> {
    this.#unknownMethods += 1
    const sample = path.slice(0, 200).toWellFormed().replaceAll('\0', '')
    await this.anonymous(remote, refusal.code, () =>
      this.#record(`${refusal.code} ${remote}`, { path: sample }, refusal.reason, 1),
    )
  }

  /** Writes what was counted and not yet written. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#write(this.#flood.due(this.#clock.now(), true))
  }

  async #write(counted: readonly Counted[]): Promise<void> {
    await Promise.all(
      counted.map(async (one) => {
        const { subject, count, firstAtMs, lastAtMs } = one
        const args = { count, first: new Date(firstAtMs).toISOString(), last: new Date(lastAtMs).toISOString() }
        const record = this.#record(subject, args, `${count} refusals counted together`, count)
        try {
          const written = await this.#writer.submit({ tenantId: undefined, record: () => record })
          if (written.refused) this.#lost(one, written.reason)
        } catch (error) {
          this.#lost(one, error)
        }
      }),
    )
  }

  #record(
    subject: string,
    args: Readonly<Record<string, string | number>>,
    reason: string,
    count: number,
  ): LedgerRecord {
    const [code = subject, remote] = subject.split(' ')
    const nowMs = this.#clock.now()
    const body = encodeBody({
      access: 'system',
      args: { ...args, count },
      at: new Date(nowMs).toISOString(),
      bypass: false,
      code,
      elapsedUs: 0,
      id: publicId('ent', uuidv7(nowMs)),
      kind: 'denials.counted',
      method: '(any)',
      outcome: 'deny',
      reason,
      remote,
    })
    return {
      log: 'system',
      tenantId: undefined,
      caller: undefined,
      actor: undefined,
      action: 'denials.counted',
      outcome: 'deny',
      code,
      requestId: undefined,
      body,
    }
  }
}
