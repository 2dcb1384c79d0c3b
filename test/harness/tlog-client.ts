import { createHash, createPublicKey, verify } from 'node:crypto'

/**
 * A reader of a log, written from the C2SP texts signed-note, tlog-checkpoint and tlog-tiles and from RFC 6962 alone: it shares no
 * code with what it reads.
 */
export class TlogClient {
  readonly #prefix: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #vkey: string
  readonly #seen = new Map<string, Buffer>()

  constructor(prefix: string, vkey: string, key?: string) {
    this.#prefix = prefix
    this.#vkey = vkey
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  /** The checkpoint, once its signature has been verified. */
  async checkpoint(): Promise<{ readonly origin: string; readonly size: number; readonly root: Buffer }> {
    const note = (await this.fetch('checkpoint')).toString('utf8')
    const cut = note.lastIndexOf('\n\n')
    const text = note.slice(0, cut + 1)
    const [name = '', id = '', ...rest] = this.#vkey.split('+')
    const key = rest.join('+')
    const typed = Buffer.from(key, 'base64')
    const keyId = createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4)
    if (keyId.toString('hex') !== id || typed[0] !== 1) throw new Error('the verifier key is not one')
    const lines = note.slice(cut + 2).split('\n')
    const signatures = lines.flatMap((line) => {
      const [dash, who, base64 = ''] = line.split(' ')
      const bytes = Buffer.from(base64, 'base64')
      return dash === '\u2014' && who === name && bytes.subarray(0, 4).equals(keyId) ? [bytes.subarray(4)] : []
    })
    const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), typed.subarray(1)])
    const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    if (!signatures.some((signature) => verify(null, Buffer.from(text), publicKey, signature))) {
      throw new Error('no signature of the key on the checkpoint')
    }
    const [origin = '', size = '', root = ''] = text.split('\n')
    return { origin, size: Number(size), root: Buffer.from(root, 'base64') }
  }

  /** MTH(D[from:to]) of RFC 6962 2.1, with hashes of tiles wherever a whole one fits. */
  async hash(from: number, to: number, size: number): Promise<Buffer> {
    const length = to - from
    for (let level = 7; level >= 0; level -= 1) {
      const unit = 256 ** level
      if (length === unit && from % unit === 0) return this.#node(level, from / unit, size)
    }
    let k = 1
    while (k * 2 < length) k *= 2
    return parent(await this.hash(from, from + k, size), await this.hash(from + k, to, size))
  }

  /** PATH(m, D[n]) of RFC 6962 2.1.1. */
  async path(m: number, from: number, to: number, size: number): Promise<Buffer[]> {
    if (to - from === 1) return []
    let k = 1
    while (k * 2 < to - from) k *= 2
    const middle = from + k
    return m < middle
      ? [...(await this.path(m, from, middle, size)), await this.hash(middle, to, size)]
      : [...(await this.path(m, middle, to, size)), await this.hash(from, middle, size)]
  }

  /** The entries of a bundle. */
  async entries(index: number, size: number): Promise<Buffer[]> {
    const width = Math.min(256, size - index * 256)
    const bundle = await this.fetch(`tile/entries/${numbered(index)}${width < 256 ? `.p/${width}` : ''}`)
    const entries: Buffer[] = []
    for (let at = 0; at < bundle.length;) {
      const end = at + 2 + bundle.readUInt16BE(at)
      entries.push(bundle.subarray(at + 2, end))
      at = end
    }
    return entries
  }

  async fetch(path: string): Promise<Buffer> {
    const response = await this.get(path)
    if (!response.ok) throw new Error(`${path} answered ${response.status}`)
    return Buffer.from(await response.arrayBuffer())
  }

  get(path: string): Promise<Response> {
    return fetch(`${this.#prefix}/${path}`, { headers: this.#headers, signal: AbortSignal.timeout(20_000) })
  }

  async #node(level: number, at: number, size: number): Promise<Buffer> {
    const index = Math.floor(at / 256)
    const width = Math.min(256, Math.floor(size / 256 ** level) - index * 256)
    const path = `tile/${level}/${numbered(index)}${width < 256 ? `.p/${width}` : ''}`
    const tile = this.#seen.get(path) ?? (await this.fetch(path))
    this.#seen.set(path, tile)
    return tile.subarray((at % 256) * 32, (at % 256) * 32 + 32)
  }
}

export function leaf(entry: Buffer): Buffer {
  return createHash('sha256')
    .update(Buffer.from([0]))
    .update(entry)
    .digest()
}

function parent(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256')
    .update(Buffer.from([1]))
    .update(left)
    .update(right)
    .digest()
}

/** Whether a path leads from a leaf to a root (RFC 6962 2.1.1, read recursively). */
export function leadsTo(root: Buffer, hash: Buffer, m: number, n: number, path: readonly Buffer[]): boolean {
  const climb = (index: number, count: number, rest: readonly Buffer[]): Buffer => {
    if (count === 1) return rest.length === 0 ? hash : Buffer.alloc(0)
    const last = rest.at(-1) ?? Buffer.alloc(0)
    let k = 1
    while (k * 2 < count) k *= 2
    return index < k
      ? parent(climb(index, k, rest.slice(0, -1)), last)
      : parent(last, climb(index - k, count - k, rest.slice(0, -1)))
  }
  return climb(m, n, path).equals(root)
}

function numbered(index: number): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const groups = padded.match(/\d{3}/g) ?? []
  return groups.map((group, at) => (at < groups.length - 1 ? `x${group}` : group)).join('/')
}
