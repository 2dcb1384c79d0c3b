import { randomFillSync } from 'node:crypto'

const idPattern = /^[a-z]{2,8}_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

// Random bytes are drawn in blocks: one system call for 256 ids.
const pool = Buffer.alloc(4096)
let poolOffset = pool.length

// The time part is the same for every id of a millisecond.
let lastMs = -1
let lastTime = ''

/** A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. */
export function uuidv7(nowMs: number = Date.now()): string {
  if (poolOffset + 10 > pool.length) {
    randomFillSync(pool)
    poolOffset = 0
  }
  const at = poolOffset
  poolOffset += 10
  if (nowMs !== lastMs) {
    const time = nowMs.toString(16).padStart(12, '0')
    lastMs = nowMs
    lastTime = `${time.slice(0, 8)}-${time.slice(8)}-`
  }
  const version = 0x70 | ((pool[at] ?? 0) & 0x0f)
  const variant = 0x80 | ((pool[at + 2] ?? 0) & 0x3f)
  return `${lastTime}${h(version)}${random(at + 1)}-${h(variant)}${random(at + 3)}-${pool.toString('hex', at + 4, at + 10)}`
}

function random(at: number): string {
  return h(pool[at] ?? 0)
}

function h(byte: number): string {
  return hex[byte] ?? '00'
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
