/** What is wrong with one item: it is left out, and the others are imported. */
export class BadItem extends Error {}

/** A number as it was written: no digit is lost on the way through a float. */
export class NumberText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const nano = 9
const countMax = 1_000_000_000_000n

/** The fields of one item, by name in snake_case or camelCase. What nobody asked for is what cannot be imported. */
export class ItemFields {
  readonly #values: ReadonlyMap<string, unknown>
  readonly #asked = new Set<string>()
  /** Fields whose value was rounded on the way. */
  readonly rounded: string[] = []

  constructor(text: string) {
    let value: unknown
    try {
      value = JSON.parse(text, keepNumbers)
    } catch {
      throw new BadItem('is not JSON')
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof NumberText)
      throw new BadItem('is not an object')
    this.#values = new Map(Object.entries(value).map(([name, one]) => [snake(name), one]))
  }

  /** Names of fields that hold something and were not asked for. */
  leftOut(): readonly string[] {
    return [...this.#values].filter(([name, value]) => !this.#asked.has(name) && !isEmpty(value)).map(([name]) => name)
  }

  text(name: string): string {
    const value = this.#take(name)
    if (value === undefined || value === null) return ''
    if (typeof value === 'string') return value
    if (value instanceof NumberText) return value.text
    throw new BadItem(`${name} must be text`)
  }

  required(name: string): string {
    const text = this.text(name)
    if (text.trim() === '') throw new BadItem(`${name} is missing`)
    return text
  }

  texts(name: string): readonly string[] {
    const value = this.#take(name)
    if (value === undefined || value === null) return []
    if (!Array.isArray(value) || value.some((one) => typeof one !== 'string'))
      throw new BadItem(`${name} must be a list of texts`)
    return value as string[]
  }

  flag(name: string, without: boolean): boolean {
    const value = this.#take(name)
    if (value === undefined || value === null) return without
    if (typeof value !== 'boolean') throw new BadItem(`${name} must be true or false`)
    return value
  }

  /** A count as decimal text; 0 where there is none. */
  count(name: string): string {
    const given = this.#number(name)
    if (given === undefined) return '0'
    const whole = scaled(given, 0)
    if (whole === undefined || whole.rest || whole.value < 0n || whole.value > countMax)
      throw new BadItem(`${name} must be a whole number from 0 to ${countMax}`)
    return whole.value.toString()
  }

  /** USD as nano-USD in decimal text; what is smaller than a nano-USD is rounded half up, and said so. */
  usd(name: string): string {
    const given = this.#number(name)
    if (given === undefined) return '0'
    const amount = scaled(given, nano)
    if (amount === undefined || amount.value < 0n)
      throw new BadItem(`${name} must be an amount in USD that is not negative`)
    if (amount.rest) this.rounded.push(name)
    return amount.value.toString()
  }

  /** A score between 0 and `best` in thousandths. */
  score(name: string, best: number): number {
    const given = this.#number(name)
    if (given === undefined) return 0
    const milli = Math.round((Number(given) * 1000) / best)
    if (!(milli >= 0 && milli <= 1000))
      throw new BadItem(`${name} must be between 0 and ${best}; say with --quality-max which is the best score`)
    return milli
  }

  /** RFC 3339 in UTC; undefined where there is none. */
  time(name: string): string | undefined {
    const text = this.text(name)
    if (text === '') return undefined
    const ms = /^\d{4}-\d\d-\d\d[Tt ]/.test(text) ? Date.parse(text) : Number.NaN
    if (Number.isNaN(ms)) throw new BadItem(`${name} must be a time such as 2026-01-31T12:00:00Z`)
    return new Date(ms).toISOString()
  }

  choice<Value>(name: string, without: string, known: Readonly<Record<string, Value>>): Value {
    const text = (this.text(name) || without).toLowerCase()
    const found = Object.hasOwn(known, text) ? known[text] : undefined
    if (found === undefined) throw new BadItem(`${name} must be one of ${Object.keys(known).join(', ')}`)
    return found
  }

  #number(name: string): string | undefined {
    const value = this.#take(name)
    if (value === undefined || value === null || value === '') return undefined
    if (value instanceof NumberText) return value.text
    // Numbers of 64 bits are texts in the JSON of protobuf.
    if (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)) return value
    throw new BadItem(`${name} must be a number`)
  }

  #take(name: string): unknown {
    this.#asked.add(name)
    return this.#values.get(name)
  }
}

export function snake(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).toLowerCase()
}

/** A decimal times 10^`digits`, rounded half up; `rest` says that it was rounded. */
function scaled(text: string, digits: number): { readonly value: bigint; readonly rest: boolean } | undefined {
  const match = /^(-?)(\d{1,30})(?:\.(\d{1,400}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const shift = digits - fraction.length + Number(exponent)
  if (shift > 60) return undefined
  const all = BigInt(whole + fraction)
  const by = shift < 0 ? 10n ** BigInt(-shift) : 1n
  const value = shift < 0 ? (all * 2n + by) / (by * 2n) : all * 10n ** BigInt(shift)
  return { value: sign === '' ? value : -value, rest: all % by !== 0n }
}

function keepNumbers(_key: string, value: unknown, source?: { readonly source?: string }): unknown {
  return typeof value === 'number' ? new NumberText(source?.source ?? String(value)) : value
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0)
}
