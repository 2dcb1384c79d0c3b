import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseEnvelope } from './envelope-format.ts'
import { Envelopes } from './envelope.ts'
import { UnreadableSecret } from './errors.ts'
import { FileProvider } from './file-provider.ts'
import { addKey, createKeyFile } from './key-file.ts'
import type { SecretPlace } from './place.ts'

let dir = ''
let file = ''
let envelopes: Envelopes
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'secrets-'))
  file = join(dir, 'master-key')
  createKeyFile(file)
  envelopes = open(file)
})
afterAll(() => rmSync(dir, { recursive: true }))

function open(name: string): Envelopes {
  return new Envelopes(new FileProvider({ file: name, monotonic: () => performance.now() }))
}

const home: SecretPlace = { tenant: 't1', table: 'secrets', column: 'envelope', row: 'r1' }
const secrets = fc.uint8Array({ maxLength: 200 })
const word = fc.string({ maxLength: 12 })
const places = fc.record({ tenant: word, table: word, column: word, row: word })

/** Everything that is said when an envelope does not open. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => expect.fail('it opened'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(UnreadableSecret)
  return error instanceof Error ? `${error.message} ${String(error.cause)}` : ''
}

const oneError = `${new UnreadableSecret().message} undefined`

describe('envelopes', () => {
  it('S1, T2: what is sealed for a place opens there, byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, places, async (secret, place) => {
        const { envelope, keyId } = await envelopes.seal(secret, place)
        expect(parseEnvelope(envelope)?.wrapped.keyId).toBe(keyId)
        expect(await envelopes.open(envelope, place)).toEqual(Buffer.from(secret))
      }),
      { numRuns: 100 },
    )
  })

  it('S1, T2: each bit of an envelope that flips ends in the one error', async () => {
    const { envelope } = await envelopes.seal(Buffer.from('a webhook secret'), home)
    for (let bit = 0; bit < envelope.length * 8; bit += 1) {
      const broken = Buffer.from(envelope)
      broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(await refusal(envelopes.open(broken, home))).toBe(oneError)
    }
  })

  it('S1, T2: an envelope that is cut, longer, empty or no envelope at all ends in the one error', async () => {
    const { envelope } = await envelopes.seal(Buffer.from('a webhook secret'), home)
    for (let length = 0; length < envelope.length; length += 1)
      expect(await refusal(envelopes.open(envelope.subarray(0, length), home))).toBe(oneError)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (noise) => {
        expect(await refusal(envelopes.open(Buffer.concat([envelope, noise]), home))).toBe(oneError)
        expect(await refusal(envelopes.open(noise, home))).toBe(oneError)
        // With a head that parses, so that the noise gets as far as it can.
        const head = Buffer.concat([envelope.subarray(0, 24), noise])
        expect(await refusal(envelopes.open(head, home))).toBe(oneError)
      }),
      { numRuns: 300 },
    )
  })

  it('S1, T2: an envelope that was moved to another tenant, table, column or row ends in the one error', async () => {
    await fc.assert(
      fc.asyncProperty(secrets, places, places, async (secret, from, to) => {
        fc.pre(JSON.stringify(from) !== JSON.stringify(to))
        const { envelope } = await envelopes.seal(secret, from)
        expect(await refusal(envelopes.open(envelope, to))).toBe(oneError)
      }),
      { numRuns: 200 },
    )
    // Places whose texts are the same when they are put one behind the other.
    const { envelope } = await envelopes.seal(Buffer.from('x'), { ...home, tenant: 'ab', table: 'c' })
    expect(await refusal(envelopes.open(envelope, { ...home, tenant: 'a', table: 'bc' }))).toBe(oneError)
  })

  it('S1, T2: parts of two envelopes of one place do not mix', async () => {
    const [one, two] = await Promise.all([
      envelopes.seal(Buffer.from('one'), home),
      envelopes.seal(Buffer.from('two'), home),
    ])
    for (let cut = 1; cut < one.envelope.length; cut += 1) {
      const mixed = Buffer.concat([one.envelope.subarray(0, cut), two.envelope.subarray(cut)])
      // Up to the wrapped data key both begin alike; behind the cut nothing of the other is left at the end.
      if (mixed.equals(one.envelope) || mixed.equals(two.envelope)) continue
      expect(await refusal(envelopes.open(mixed, home))).toBe(oneError)
    }
  })

  it('S1: with another key, an envelope ends in the one error', async () => {
    const other = join(dir, 'other')
    createKeyFile(other)
    const { envelope } = await open(other).seal(Buffer.from('theirs'), home)
    expect(await refusal(envelopes.open(envelope, home))).toBe(oneError)
    // Under the id of a key that is known, too.
    const { keyId } = await envelopes.seal(Buffer.from('ours'), home)
    const renamed = Buffer.from(envelope)
    renamed.write(keyId, 2, 'latin1')
    expect(await refusal(envelopes.open(renamed, home))).toBe(oneError)
  })

  it('S1: nothing repeats: the same secret at the same place looks different each time', async () => {
    const sealed = await Promise.all(Array.from({ length: 50 }, () => envelopes.seal(Buffer.alloc(32), home)))
    const tails = sealed.map(({ envelope }) => envelope.subarray(25).toString('hex'))
    expect(new Set(tails).size).toBe(50)
    expect(new Set(tails.map((tail) => tail.slice(-64))).size).toBe(50)
  })

  it('S2: a rotation wraps anew with the newest key, and the ciphertext stays', async () => {
    const own = join(dir, 'rotated')
    createKeyFile(own)
    const store = open(own)
    const before = await store.seal(Buffer.from('kept'), home)
    expect(await store.rewrap(before.envelope, home)).toBeUndefined()
    const { id } = addKey(own, { prepared: false })
    const after = (await store.rewrap(before.envelope, home)) ?? expect.fail('not rewrapped')
    expect(after.keyId).toBe(id)
    expect(after.envelope.subarray(-4)).toEqual(before.envelope.subarray(-4))
    expect((await store.open(after.envelope, home)).toString()).toBe('kept')
    expect((await store.open(before.envelope, home)).toString()).toBe('kept')
    const broken = Buffer.from(before.envelope)
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
    expect(await refusal(store.rewrap(broken, home))).toBe(oneError)
  })

  it('S1: a secret over 16 MiB is refused', async () => {
    await expect(envelopes.seal(Buffer.alloc(16 * 1024 * 1024 + 1), home)).rejects.toThrow('at most 16777216 bytes')
  })

  it('S5: an error of the provider holds nothing of a key', () => {
    const key = Buffer.alloc(31, 7).toString('base64')
    const bad = join(dir, 'bad')
    writeFileSync(bad, `${key}\n`)
    expect(() => open(bad)).toThrow(/line 1: an encryption key has exactly 32 bytes, and this is 31 bytes \(base64\)/)
    expect(() => open(bad)).not.toThrow(key)
  })
})
