import { randomFillSync } from 'node:crypto'

const variants = '89ab'
const idPattern = /^[a-z]{2,8}_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
// Random bytes are drawn in blocks, as digits: one system call for some 430 ids.
const block = Buffer.alloc(4096)
let digits = ''
let nextDigit = 0
const digitsPerId = 19

// The time part is the same for every id of a millisecond.
let lastMs = -1
let lastTime = ''

/** A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. */
export function uuidv7(nowMs: number = Date.now()): string {
  if (nextDigit + digitsPerId > digits.length) {
    digits = randomFillSync(block).toString('hex')
    nextDigit = 0
  }
  const at = nextDigit
  nextDigit += digitsPerId
  if (nowMs !== lastMs) {
    const time = nowMs.toString(16).padStart(12, '0')
    lastMs = nowMs
    lastTime = `${time.slice(0, 8)}-${time.slice(8)}-`
  }
  const variant = variants.charAt(Number.parseInt(digits.charAt(at), 16) & 3)
  return `${lastTime}7${digits.slice(at + 1, at + 4)}-${variant}${digits.slice(at + 4, at + 7)}-${digits.slice(at + 7, at + digitsPerId)}`
}

/** The kinds of object that have an id, by the prefix of the id as people see it. */
export type IdPrefix =
  | 'agt'
  | 'opr'
  | 'key'
  | 'ten'
  | 'tsk'
  | 'not'
  | 'chg'
  | 'run'
  | 'att'
  | 'evt'
  | 'ben'
  | 'req'
  | 'ent'
  | 'scr'
  | 'app'
  | 'ses'
  | 'crt'
  | 'sgk'
  | 'grn'
  | 'bud'
  | 'rsv'
  | 'cap'
  | 'kil'
  | 'drl'
  | 'job'
  | 'imp'
  | 'whd'
  | 'pst'

/** `run_0199...`: what callers see (SPEC C5). The database stores the bare UUID. */
export function publicId(prefix: IdPrefix, uuid: string): string {
  return `${prefix}_${uuid}`
}

/** The bare UUID of a public id, or undefined where the text is not an id of that kind. */
export function parseId(prefix: IdPrefix, text: string): string | undefined {
  return idPattern.test(text) && text.startsWith(prefix) && text[prefix.length] === '_'
    ? text.slice(prefix.length + 1)
    : undefined
}
