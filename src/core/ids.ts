import { randomFillSync } from 'node:crypto'

const idPattern = /^([a-z]{2,8})_([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})$/
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

// Random bytes are drawn in blocks: one system call for 256 ids.
const pool = Buffer.alloc(4096)
let poolOffset = pool.length

/** A new UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits. */
export function uuidv7(nowMs: number = Date.now()): string {
  if (poolOffset + 10 > pool.length) {
    randomFillSync(pool)
    poolOffset = 0
  }
  const at = poolOffset
  poolOffset += 10
  const byte = (offset: number): number => pool[at + offset] ?? 0
  const time = nowMs.toString(16).padStart(12, '0')
  const h = (value: number): string => hex[value] ?? '00'
  return (
    `${time.slice(0, 8)}-${time.slice(8)}-${h(0x70 | (byte(0) & 0x0f))}${h(byte(1))}-` +
    `${h(0x80 | (byte(2) & 0x3f))}${h(byte(3))}-${h(byte(4))}${h(byte(5))}${h(byte(6))}${h(byte(7))}${h(byte(8))}${h(byte(9))}`
  )
}

/** The kinds of object that have an id, by the prefix of the id as people see it. */
export type IdPrefix = 'agt' | 'opr' | 'key' | 'ten' | 'tsk' | 'run' | 'att' | 'evt' | 'ben' | 'req' | 'ent'

/** `run_0199...`: what callers see (SPEC C5). The database stores the bare UUID. */
export function publicId(prefix: IdPrefix, uuid: string): string {
  return `${prefix}_${uuid}`
}

/** The bare UUID of a public id, or undefined where the text is not an id of that kind. */
export function parseId(prefix: IdPrefix, text: string): string | undefined {
  const match = idPattern.exec(text)
  return match?.[1] === prefix ? match[2] : undefined
}
