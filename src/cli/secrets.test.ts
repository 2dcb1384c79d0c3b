import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeStartError, fakeIo, fakeServerRoom, runLine, type FakeIo } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cli-secrets-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const withRoom = (given: Partial<ServerRoom>): FakeIo =>
  fakeIo({ server: () => Promise.resolve(fakeServerRoom(given)) })

describe('secrets generate-key', () => {
  it('S2: writes a private file and shows no key; a file that is there stays', async () => {
    const file = join(dir, 'key')
    const { code, out } = await runLine(`secrets generate-key --out ${file}`)
    const text = readFileSync(file, 'utf8').trim()
    expect([code, Buffer.from(text, 'base64').length, statSync(file).mode & 0o777]).toEqual([0, 32, 0o600])
    expect(out).toMatch(/^The key file:[0-9a-f]{16} is in /)
    expect(out).not.toContain(text)
    const again = await runLine(`secrets generate-key --json --out ${file}`)
    expect([again.code, JSON.parse(again.out).error.message]).toEqual([2, expect.stringMatching(/is not overwritten/)])
    expect(readFileSync(file, 'utf8').trim()).toBe(text)
  })

  it('S2: prints a key only when asked to', async () => {
    const asked = await runLine('secrets generate-key --print')
    expect(Buffer.from(asked.out, 'base64').length).toBe(32)
    for (const line of ['secrets generate-key', `secrets generate-key --print --out ${dir}/x`]) {
      const { code, out, err } = await runLine(line)
      expect([code, out]).toEqual([2, ''])
      expect(err).toContain('A key needs exactly one place to go.')
    }
  })
})

describe('secrets rotate', () => {
  it('S2: shows how far it is on stderr, and what to back up at the end', async () => {
    const io = withRoom({
      rotateSecrets: ({ progress }) => {
        progress(50, 100)
        progress(100, 100)
        return Promise.resolve({ newest: 'file:aa', prepared: false, resumed: true, rewrapped: 99, skipped: 1 })
      },
    })
    const { code, out, err } = await runLine('secrets rotate', io)
    expect([code, err]).toEqual([0, '50 %, 50 of 100 secrets, 0 s\n100 %, 100 of 100 secrets, 0 s\n'])
    expect(out).toBe(
      'An earlier rotation was finished: 99 secrets were wrapped anew; 1 had changed meanwhile. The key file:aa wraps from now on.\nBack up the new key. Keep the old ones as long as backups of the database that need them.\n',
    )
  })

  it('S2: --prepare says what to do next, --json says one document alone', async () => {
    const report = { newest: 'file:bb', prepared: true, resumed: false, rewrapped: 0, skipped: 0 }
    const rotateSecrets: ServerRoom['rotateSecrets'] = ({ prepare, progress }) => {
      progress(1, 1)
      return Promise.resolve({ ...report, prepared: prepare })
    }
    expect((await runLine('secrets rotate --prepare', withRoom({ rotateSecrets }))).out).toMatch(
      /Copy the key file to every machine/,
    )
    const { out, err } = await runLine('secrets rotate --prepare --json', withRoom({ rotateSecrets }))
    expect([JSON.parse(out), err]).toEqual([report, ''])
  })

  it('S2: what keeps it from working is said with what to do', async () => {
    const io = withRoom({
      rotateSecrets: () =>
        Promise.reject(new FakeStartError('no provider of master keys is configured', ['set secrets.keyFile'])),
    })
    const { code, err } = await runLine('secrets rotate', io)
    expect([code, err]).toEqual([3, expect.stringMatching(/no provider .*\n +- set secrets\.keyFile/)])
  })
})

describe('secrets list', () => {
  const keys = [
    {
      name: 'API keys',
      state: 'in use',
      protects: 'calls',
      count: 7,
      where: 'digests\u001b[2J',
      backup: 'none',
      loss: 'a new one',
    },
    {
      name: 'sessions',
      state: 'unknown',
      protects: 'the console',
      count: null,
      where: 'browsers',
      backup: 'none',
      loss: 'sign in',
    },
  ]

  it('S7: says for each key what it protects, where it is, how it is backed up and what its loss means', async () => {
    const { code, out } = await runLine(
      'secrets list',
      withRoom({ listSecrets: () => Promise.resolve({ keys, databaseProblem: null }) }),
    )
    expect(code).toBe(0)
    expect(out).toContain(
      'API keys  7\n  state    in use\n  protects calls\n  where    digests\\u{1b}[2J\n  backup   none\n  loss     a new one\n',
    )
    expect(out).toContain('sessions\n  state    unknown\n')
  })

  it('S7: counts that could not be asked for are null, and why is said', async () => {
    const inventory = { keys, databaseProblem: 'the database could not be asked' }
    const room = { listSecrets: () => Promise.resolve(inventory) }
    expect((await runLine('secrets list', withRoom(room))).err).toBe('the database could not be asked\n')
    const { out, err } = await runLine('secrets list --json', withRoom(room))
    expect([JSON.parse(out), err]).toEqual([inventory, ''])
  })
})
