export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * Canonical JSON (RFC 8785) under the rules of the ledger (SPEC L1): integers within 2^53 only, no NUL, no lone
 * surrogates, at most 32 levels. Members that are undefined are left out.
 * @throws TypeError or RangeError where the value breaks a rule; the message names the rule and the way out.
 */
export function canonicalJson(value: Json): string {
  return write(value, 0, integer)
}

/** RFC 8785 with its floating-point numbers, which the ledger does not take. */
export function canonicalJsonWithFloats(value: Json): string {
  return write(value, 0, float)
}

const depthMax = 32
// What needs a second look: escapes, and surrogates, which may be lone.
// oxlint-disable-next-line no-control-regex
const special = /[\u0000-\u001f"\\\ud800-\udfff]/

function write(value: Json | undefined, depth: number, number: (value: number) => string): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') return number(value)
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (value === null) return 'null'
  if (typeof value !== 'object') {
    throw new TypeError(
      `JSON cannot hold a value of type ${typeof value}: leave the member out or write it as a string`,
    )
  }
  if (depth >= depthMax) {
    throw new RangeError(`JSON nests deeper than ${depthMax} levels: flatten the value or summarize it first`)
  }
  return isList(value) ? writeList(value, depth, number) : writeObject(value, depth, number)
}

function writeList(list: readonly Json[], depth: number, number: (value: number) => string): string {
  let out = '['
  for (let i = 0; i < list.length; i++) {
    if (i > 0) out += ','
    out += write(list[i], depth + 1, number)
  }
  return `${out}]`
}

function writeObject(
  object: { readonly [key: string]: Json | undefined },
  depth: number,
  number: (value: number) => string,
): string {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError('JSON cannot hold an instance of a class: turn it into a plain object or a string')
  }
  let out = '{'
  for (const key of sorted(Object.keys(object))) {
    const member = object[key]
    if (member === undefined) continue
    if (out.length > 1) out += ','
    out += quoteKey(key) + write(member, depth + 1, number)
  }
  return `${out}}`
}

/** By UTF-16 code units (RFC 8785, 3.2.3), which is what `<` and sort() do; most objects are written in order already. */
function sorted(keys: readonly string[]): readonly string[] {
  for (let i = 1; i < keys.length; i++) {
    if ((keys[i - 1] ?? '') > (keys[i] ?? '')) return keys.toSorted()
  }
  return keys
}

// Names of members repeat from call to call. Bounded, because callers may choose names of their own.
const quotedKeys = new Map<string, string>()
const quotedKeysMax = 1024

function quoteKey(key: string): string {
  const known = quotedKeys.get(key)
  if (known !== undefined) return known
  const quoted = `${quote(key)}:`
  if (quotedKeys.size < quotedKeysMax && key.length <= 64) quotedKeys.set(key, quoted)
  return quoted
}

function quote(text: string): string {
  if (!special.test(text)) return `"${text}"`
  if (!text.isWellFormed()) throw new TypeError('JSON text has a lone surrogate: pass it through toWellFormed() first')
  if (text.includes('\0')) throw new TypeError('JSON text has a NUL character: remove it, PostgreSQL cannot store it')
  return JSON.stringify(text)
}

function integer(value: number): string {
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${value} is not an integer within 2^53: send it as a decimal string`)
  }
  return String(value)
}

function float(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no JSON form: send it as a string`)
  return String(value)
}

// Array.isArray does not narrow readonly arrays.
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value)
}
