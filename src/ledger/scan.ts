import { isUtf8 } from 'node:buffer'

/** The largest entry in bytes; a tlog-tiles bundle counts entries in 16 bits (SPEC L1). */
export const entryBytesMax = 61_440

/**
 * Reads canonical entries where they stand, without making anything of them: what a replay of millions of entries needs. What it
 * accepts is byte for byte an entry that `parseEntry` accepts. What it does not accept may still be one (names of members
 * beyond ASCII are left to `parseEntry`), so a no is never a verdict.
 */
export class EntryScanner {
  /** Of the entry that was scanned last; positions are in the bytes that were given. */
  seq = 0
  logStart = 0
  logEnd = 0
  /** 64 hex digits from here. */
  prevStart = 0
  /** 27 characters from here. */
  tsStart = 0

  #bytes: Uint8Array = new Uint8Array()
  #at = 0
  #end = 0
  #ascii = true
  /** Start and end of the name before, for each level. */
  readonly #names = new Int32Array(2 * levelsMax)

  scan(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start > entryBytesMax || end > bytes.length) return false
    this.#bytes = bytes
    this.#at = start
    this.#end = end
    this.#ascii = true
    if (!this.#literal(opening) || this.#bytes[this.#at] !== brace || !this.#object(0)) return false
    if (!this.#literal(beforeLog) || !this.#logName()) return false
    if (!this.#literal(beforePrev) || !this.#hexDigits()) return false
    if (!this.#literal(beforeSeq) || !this.#count()) return false
    if (!this.#literal(beforeTs) || !this.#timestamp()) return false
    if (!this.#literal(closing) || this.#at !== end) return false
    return this.#ascii || isUtf8(bytes.subarray(start, end))
  }

  #literal(expected: Uint8Array): boolean {
    const at = this.#at
    if (at + expected.length > this.#end) return false
    for (let i = 0; i < expected.length; i++) if (this.#bytes[at + i] !== expected[i]) return false
    this.#at = at + expected.length
    return true
  }

  #value(depth: number): boolean {
    const byte = this.#peek()
    if (byte === quote) return this.#string()
    if (byte === brace) return depth < levelsMax && this.#object(depth)
    if (byte === bracket) return depth < levelsMax && this.#list(depth)
    if (byte === letterT) return this.#literal(trueText)
    if (byte === letterF) return this.#literal(falseText)
    if (byte === letterN) return this.#literal(nullText)
    return this.#integer()
  }

  #object(depth: number): boolean {
    this.#at += 1
    if (this.#peek() === braceEnd) return this.#step()
    let isFirst = true
    for (;;) {
      if (!this.#name(depth, isFirst)) return false
      if (this.#peek() !== colon) return false
      this.#at += 1
      if (!this.#value(depth + 1)) return false
      const byte = this.#peek()
      this.#at += 1
      if (byte === braceEnd) return true
      if (byte !== comma) return false
      isFirst = false
    }
  }

  #list(depth: number): boolean {
    this.#at += 1
    if (this.#peek() === bracketEnd) return this.#step()
    for (;;) {
      if (!this.#value(depth + 1)) return false
      const byte = this.#peek()
      this.#at += 1
      if (byte === bracketEnd) return true
      if (byte !== comma) return false
    }
  }

  /** A name of plain ASCII that comes after the one before: there bytes are in the order of UTF-16 code units. */
  #name(depth: number, isFirst: boolean): boolean {
    if (this.#peek() !== quote) return false
    const bytes = this.#bytes
    const start = this.#at + 1
    let at = start
    while (at < this.#end && kinds[bytes[at] ?? 0] === plain) at += 1
    if (at >= this.#end || bytes[at] !== quote) return false
    const names = this.#names
    if (!isFirst && !isAfter(bytes, names[2 * depth] ?? 0, names[2 * depth + 1] ?? 0, start, at)) return false
    names[2 * depth] = start
    names[2 * depth + 1] = at
    this.#at = at + 1
    return true
  }

  #string(): boolean {
    const bytes = this.#bytes
    const end = this.#end
    let at = this.#at + 1
    while (at < end) {
      const kind = kinds[bytes[at] ?? 0]
      if (kind === plain) at += 1
      else if (kind === beyondAscii) {
        this.#ascii = false
        at += 1
      } else if (bytes[at] === quote) {
        this.#at = at + 1
        return true
      } else {
        const length = escapeLength(bytes, at, end)
        if (length === 0) return false
        at += length
      }
    }
    return false
  }

  #integer(): boolean {
    const negative = this.#peek() === minus
    if (negative) this.#at += 1
    const start = this.#at
    const value = this.#digits()
    // Minus zero is written as 0.
    return value >= 0 && !(negative && this.#bytes[start] === zero)
  }

  #count(): boolean {
    this.seq = this.#digits()
    return this.seq >= 0
  }

  /** The value of digits without leading zeros, within 2^53; -1 where there are none such. */
  #digits(): number {
    const bytes = this.#bytes
    const start = this.#at
    let at = start
    let value = 0
    while (at < this.#end) {
      const digit = (bytes[at] ?? 0) - zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
      at += 1
    }
    const length = at - start
    if (length === 0 || length > 16 || (length > 1 && bytes[start] === zero)) return -1
    this.#at = at
    return value <= Number.MAX_SAFE_INTEGER ? value : -1
  }

  #logName(): boolean {
    const start = this.#at
    let at = start
    while (at < this.#end && inLogName[this.#bytes[at] ?? 0] === 1) at += 1
    const first = this.#bytes[start] ?? 0
    if (at === start || at - start > 128 || first === dot || first === slash || first === minus || first === underscore)
      return false
    this.logStart = start
    this.logEnd = at
    this.#at = at
    return true
  }

  #hexDigits(): boolean {
    const start = this.#at
    if (start + 64 > this.#end) return false
    for (let at = start; at < start + 64; at++) if (inHex[this.#bytes[at] ?? 0] !== 1) return false
    this.prevStart = start
    this.#at = start + 64
    return true
  }

  #timestamp(): boolean {
    const bytes = this.#bytes
    const start = this.#at
    if (start + 27 > this.#end) return false
    for (let i = 0; i < 27; i++) {
      const byte = bytes[start + i] ?? 0
      const mark = timestampMarks[i] ?? 0
      if (mark === 0 ? byte < zero || byte > zero + 9 : byte !== mark) return false
    }
    const two = (at: number): number => 10 * ((bytes[start + at] ?? 0) - zero) + (bytes[start + at + 1] ?? 0) - zero
    const year = 100 * two(0) + two(2)
    const month = two(5)
    const day = two(8)
    if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return false
    if (two(11) > 23 || two(14) > 59 || two(17) > 59) return false
    this.tsStart = start
    this.#at = start + 27
    return true
  }

  #peek(): number {
    return this.#at < this.#end ? (this.#bytes[this.#at] ?? 0) : 0
  }

  #step(): true {
    this.#at += 1
    return true
  }
}

// Levels of nesting in a body, as in canonicalJson.
const levelsMax = 32

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const opening = ascii('{"body":')
const beforeLog = ascii(',"log":"')
const beforePrev = ascii('","prev":"')
const beforeSeq = ascii('","seq":')
const beforeTs = ascii(',"ts":"')
const closing = ascii('","v":1}')
const [trueText, falseText, nullText] = [ascii('true'), ascii('false'), ascii('null')]

const byteOf = (character: string): number => character.charCodeAt(0)
const quote = byteOf('"')
const brace = byteOf('{')
const braceEnd = byteOf('}')
const bracket = byteOf('[')
const bracketEnd = byteOf(']')
const colon = byteOf(':')
const comma = byteOf(',')
const minus = byteOf('-')
const dot = byteOf('.')
const slash = byteOf('/')
const underscore = byteOf('_')
const backslash = byteOf('\\')
const zero = byteOf('0')
const [letterT, letterF, letterN] = [byteOf('t'), byteOf('f'), byteOf('n')]

// What a byte inside a string is.
const plain = 0
const special = 1
const beyondAscii = 2
const kinds = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte >= 0x80) return beyondAscii
  return byte < 0x20 || byte === quote || byte === backslash ? special : plain
})
const setOf = (characters: string): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, byte) => (characters.includes(String.fromCharCode(byte)) ? 1 : 0))
const inHex = setOf('0123456789abcdef')
const inLogName = setOf('abcdefghijklmnopqrstuvwxyz0123456789._/-')
// JSON.stringify writes these short, and every other control character as \u00 and two lower-case digits.
const shortEscapes = setOf('"\\bfnrt')
const shortControls = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d])
const timestampMarks = Uint8Array.from('0000-00-00T00:00:00.000000Z', (mark) => (mark === '0' ? 0 : byteOf(mark)))

/** The length of a canonical escape at `at`; 0 where there is none. */
function escapeLength(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] !== backslash || at + 1 >= end) return 0
  if (shortEscapes[bytes[at + 1] ?? 0] === 1) return 2
  if (at + 6 > end || String.fromCharCode(...bytes.subarray(at + 1, at + 4)) !== 'u00') return 0
  const digits = String.fromCharCode(...bytes.subarray(at + 4, at + 6))
  if (!/^[01][0-9a-f]$/.test(digits)) return 0
  const code = Number.parseInt(digits, 16)
  return code === 0 || shortControls.has(code) ? 0 : 6
}

function isAfter(bytes: Uint8Array, start1: number, end1: number, start2: number, end2: number): boolean {
  const length1 = end1 - start1
  const length2 = end2 - start2
  const length = Math.min(length1, length2)
  for (let i = 0; i < length; i++) {
    const [byte1, byte2] = [bytes[start1 + i] ?? 0, bytes[start2 + i] ?? 0]
    if (byte1 !== byte2) return byte2 > byte1
  }
  return length2 > length1
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}
