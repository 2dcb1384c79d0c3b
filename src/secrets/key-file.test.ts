import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileProvider } from './file-provider.ts'
import { addKey, createKeyFile, masterKeyId, promoteKeys, readKeyFile } from './key-file.ts'
import type { SecretPlace } from './place.ts'
import { WrapBudget } from './wrap-budget.ts'

let dir = ''
let file = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'key-file-'))
  file = join(dir, 'master-key')
})
afterEach(() => rmSync(dir, { recursive: true }))

const home: SecretPlace = { tenant: 't1', table: 'secrets', column: 'envelope', row: 'r1' }
const dataKey = Buffer.alloc(32, 7)

describe('key files', () => {
  it('S2: a new one is private, holds one key, and is never overwritten', () => {
    const { id } = createKeyFile(file)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readKeyFile(file)).toMatchObject([{ id, prepared: false }])
    const before = readFileSync(file)
    expect(() => createKeyFile(file)).toThrow(/it is there already and is not overwritten/)
    expect(readFileSync(file)).toEqual(before)
    expect(() => createKeyFile(join(dir, 'no', 'such'))).toThrow(
      /cannot be written \(ENOENT\); name a file in a folder/,
    )
  })

  it('S2: keys are added behind the others, prepared ones wait until they are promoted, comments stay', () => {
    const raw = Buffer.alloc(32, 200)
    writeFileSync(file, raw, { mode: 0o600 })
    const second = addKey(file, { prepared: false })
    writeFileSync(file, `# made in May\n${readFileSync(file, 'utf8')}`)
    const third = addKey(file, { prepared: true })
    expect(readKeyFile(file).map(({ id, prepared }) => [id, prepared])).toEqual([
      [masterKeyId(raw), false],
      [second.id, false],
      [third.id, true],
    ])
    promoteKeys(file)
    expect(readKeyFile(file).map(({ prepared }) => prepared)).toEqual([false, false, false])
    expect(readFileSync(file, 'utf8')).toMatch(/^# made in May\n/)
    expect(readdirSync(dir)).toEqual(['master-key'])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it.each([
    ['is not there', undefined, /cannot be read \(ENOENT\); name a key file/],
    ['is empty', '', /holds no key to wrap with/],
    ['holds only prepared keys', `next ${Buffer.alloc(32, 1).toString('base64')}`, /holds no key to wrap with/],
    ['holds a passphrase', 'hunter2 hunter2', /line 1: an encryption key has exactly 32 bytes, and this is text/],
    ['holds a short key', `# x\n\n${Buffer.alloc(16, 1).toString('hex')}`, /line 3: .* 16 bytes \(hexadecimal\)/],
    [
      'holds a key twice',
      `${Buffer.alloc(32, 1).toString('hex')}\n${Buffer.alloc(32, 1).toString('base64')}`,
      /line 2 holds a key for the second time/,
    ],
    ['is far too large', 'x'.repeat(70_000), /more than 65536 bytes/],
  ])('S1: a file that %s is refused', (_, text, said) => {
    if (text !== undefined) writeFileSync(file, text)
    expect(() => readKeyFile(file)).toThrow(said)
    expect(() => readKeyFile(dir)).toThrow(/not a regular file/)
  })

  it('S2: a key that cannot be added changes nothing, and the reason is named', () => {
    // Beside a name this long there is room for no other.
    const long = join(dir, 'k'.repeat(250))
    createKeyFile(long)
    expect(() => addKey(long, { prepared: false })).toThrow(
      /cannot be replaced \(ENAMETOOLONG\); run this as its owner/,
    )
    expect(readKeyFile(long)).toHaveLength(1)
  })
})

describe('the file provider', () => {
  it('S2: takes over keys of a file that changed: before wrapping within a second, for an unknown key at once', async () => {
    createKeyFile(file)
    let nowMs = 0
    const provider = new FileProvider({ file, monotonic: () => nowMs })
    const old = await provider.wrap(dataKey, home)
    const { id } = addKey(file, { prepared: false })
    nowMs = 999
    expect((await provider.wrap(dataKey, home)).keyId).toBe(old.keyId)
    nowMs = 1000
    const fresh = await provider.wrap(dataKey, home)
    expect(fresh.keyId).toBe(id)
    expect(await provider.unwrap(old, home)).toEqual(dataKey)

    const late = new FileProvider({ file, monotonic: () => 0 })
    const third = addKey(file, { prepared: true })
    expect(await late.knows(third.id)).toBe(true)
    expect((await late.wrap(dataKey, home)).keyId).toBe(id)
  })

  it('S1: keeps the keys that it has while its file is broken or away, and says so', async () => {
    createKeyFile(file)
    const told: string[] = []
    let nowMs = 0
    const provider = new FileProvider({ file, monotonic: () => nowMs, broken: (error) => told.push(String(error)) })
    const { keyId } = await provider.wrap(dataKey, home)
    writeFileSync(file, 'half a k')
    for (const later of [1000, 1000, 1000]) {
      nowMs += later
      expect((await provider.wrap(dataKey, home)).keyId).toBe(keyId)
    }
    rmSync(file)
    nowMs += 1000
    expect((await provider.wrap(dataKey, home)).keyId).toBe(keyId)
    expect(told).toEqual([
      expect.stringMatching(/master-key: line 1: .*neither base64/),
      expect.stringMatching(/master-key: it cannot be read \(ENOENT\)/),
    ])
  })

  it('S1: a key that has wrapped 2^31 times raises an alarm once, and at 2^32 it wraps no more', async () => {
    createKeyFile(file)
    let counted = 2 ** 31 - 300
    const alarms: number[] = []
    const budget = new WrapBudget({
      reserve: (_, count) => Promise.resolve((counted += count)),
      alarm: (_, wraps) => alarms.push(wraps),
      step: 100,
    })
    const provider = new FileProvider({ file, monotonic: () => 0, budget })
    for (let at = 0; at < 500; at += 1) await provider.wrap(dataKey, home)
    expect(alarms).toEqual([2 ** 31])
    expect(counted).toBe(2 ** 31 + 200)
    counted = 2 ** 32 - 50
    await expect(provider.wrap(dataKey, home)).rejects.toThrow(
      /has wrapped 2\^32 times: run `portcullis secrets rotate`/,
    )
  })
})
