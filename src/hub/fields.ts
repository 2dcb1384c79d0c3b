import { timestampMs, type Timestamp } from '@bufbuild/protobuf/wkt'
import { parseCidr, parseId, refuse, type IdPrefix, type Refusal } from '#core'

// Bounds of what may be stored; far beyond real use, far below what a column or a sum could not hold.
const countMax = 1_000_000_000_000n
const earliestMs = Date.UTC(2020, 0, 1)
const futureMs = 5 * 60_000
// The years that RFC 3339 and google.protobuf.Timestamp can name; the wire can carry more.
const momentMinMs = Date.parse('0001-01-01T00:00:00Z')
const momentMaxMs = Date.parse('9999-12-31T23:59:59.999Z')

/**
 * Checks the fields of one message and remembers the first that is wrong. Text is refused where PostgreSQL or the ledger could
 * not keep it exactly: NUL and lone surrogates.
 */
export class Fields {
  #refusal: Refusal | undefined

  /** The refusal for the first field that is wrong, if any. */
  get refusal(): Refusal | undefined {
    return this.#refusal
  }

  /** Text of up to `max` characters. */
  text(name: string, value: string, max: number): string {
    if (value.length > max) this.wrong(name, `at most ${max} characters, not ${value.length}`)
    else if (value.includes('\0')) this.wrong(name, 'must not hold a NUL character')
    else if (!value.isWellFormed()) this.wrong(name, 'must be well-formed Unicode')
    return value
  }

  required(name: string, value: string, max: number): string {
    if (value === '') this.wrong(name, 'is required')
    return this.text(name, value, max)
  }

  texts(name: string, values: readonly string[], countAtMost: number, max: number): readonly string[] {
    if (values.length > countAtMost) this.wrong(name, `at most ${countAtMost} items, not ${values.length}`)
    else for (const value of values) this.required(name, value, max)
    return [...new Set(values)]
  }

  /** The UUID behind a public id. */
  id(name: string, value: string, prefix: IdPrefix): string {
    const uuid = parseId(prefix, value)
    if (value === '') this.wrong(name, 'is required')
    else if (uuid === undefined) this.wrong(name, `must be an id such as ${prefix}_0199...`)
    return uuid ?? ''
  }

  integer(name: string, value: number, min: number, max: number): number {
    if (!Number.isInteger(value) || value < min || value > max) this.wrong(name, `must be between ${min} and ${max}`)
    return value
  }

  /** A count, a size or an amount: not negative, bounded; as decimal text. */
  count(name: string, value: bigint, max = countMax): string {
    if (value < 0n || value > max) this.wrong(name, `must be between 0 and ${max}`)
    return value.toString()
  }

  /** A value of an enum that the contract knows; 0 stands for unset. */
  choice<Value extends number>(name: string, value: Value, allowed: readonly Value[], names: string): Value {
    if (!allowed.includes(value)) this.wrong(name, `must be one of ${names}`)
    return value
  }

  /** Milliseconds of a time not before 2020 and not in the future, give or take the clock of the sender; unset is `nowMs`. */
  time(name: string, value: Timestamp | undefined, nowMs: number): number {
    if (value === undefined) return nowMs
    const ms = timestampMs(value)
    if (!(ms >= earliestMs && ms <= nowMs + futureMs))
      this.wrong(name, 'must be a time since 2020 and not in the future')
    return ms
  }

  /** Milliseconds of any time that has a date: a filter, an expiry. */
  moment(name: string, value: Timestamp): number {
    const ms = timestampMs(value)
    if (!(ms >= momentMinMs && ms <= momentMaxMs)) this.wrong(name, 'must be a time between the years 1 and 9999')
    return ms
  }

  /** The two ends of a time filter. */
  span(
    name: string,
    after: Timestamp | undefined,
    before: Timestamp | undefined,
  ): { readonly createdAfterMs?: number; readonly createdBeforeMs?: number } {
    return {
      ...(after === undefined ? {} : { createdAfterMs: this.moment(`${name}After`, after) }),
      ...(before === undefined ? {} : { createdBeforeMs: this.moment(`${name}Before`, before) }),
    }
  }

  cidrs(name: string, values: readonly string[]): readonly string[] {
    if (values.length > 32) this.wrong(name, `at most 32 networks, not ${values.length}`)
    for (const value of values) {
      try {
        parseCidr(value)
      } catch {
        this.wrong(name, 'must be networks such as 10.0.0.0/8 or 2001:db8::/32')
      }
    }
    return values
  }

  wrong(name: string, why: string): void {
    this.#refusal ??= refuse('input.invalid', `${name}: ${why}`, { detail: `${name} ${why}` })
  }
}
