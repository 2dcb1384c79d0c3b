import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FakeStartError, fakeIo, fakeServerRoom, runLine, type FakeIo } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

const withRoom = (given: Partial<ServerRoom>): FakeIo =>
  fakeIo({ server: () => Promise.resolve(fakeServerRoom(given)) })

const logs = [
  { log: 'main', size: 40 },
  { log: 'system', size: 2 },
]
const keys = [{ file: 'master-key', fingerprint: 'file:0011' }]
const created = '2026-11-21T12:00:00.000Z'

describe('backup', () => {
  it('O12: says what is in it and which keys to keep apart; how far it is goes to stderr', async () => {
    const backUp: ServerRoom['backUp'] = ({ dir, to, progress }) => {
      expect([dir, to]).toEqual([resolve('here'), resolve('there')])
      progress({ bytes: 5 * 1024 * 1024, totalBytes: 10 * 1024 * 1024 })
      return Promise.resolve({ created, logs, keys })
    }
    const { code, out, err } = await runLine('backup there --dir here', withRoom({ backUp }))
    expect(code).toBe(0)
    expect(out).toBe(
      [
        'Backed up here to there: 2 logs with 42 entries.',
        'Keep these keys apart from it; without them secrets cannot be read and nothing can be signed:',
        '  master-key  (fingerprint file:0011)',
        '',
      ].join('\n'),
    )
    expect(err).toBe('50 %, 5 MiB, 0 s\n')
    const json = await runLine('backup there --dir here --json', withRoom({ backUp }))
    expect(JSON.parse(json.out)).toEqual({ folder: 'there', created, logs, keys })
  })

  it('O12: one that cannot be made ends with 3 and says what to do', async () => {
    const backUp = () => Promise.reject(new FakeStartError('there is not empty', ['name a new folder']))
    const { code, out, err } = await runLine('backup there', withRoom({ backUp }))
    expect([code, out]).toEqual([3, ''])
    expect(err).toContain('name a new folder')
  })
})

describe('restore', () => {
  it('O12: says that every log verifies, which keys are missing, and how to start it', async () => {
    const made = { home: '/srv/new/.home', created, logs, missingKeys: keys }
    const restore: ServerRoom['restore'] = ({ from, dir, progress }) => {
      expect([from, dir]).toEqual([resolve('backup'), resolve('new')])
      progress({ bytes: 1, totalBytes: 1 })
      return Promise.resolve(made)
    }
    const { code, out } = await runLine('restore backup --dir new', withRoom({ restore }))
    expect(code).toBe(0)
    expect(out).toBe(
      [
        `Restored the backup of ${created} to /srv/new/.home.`,
        'All 2 logs verify, 42 entries.',
        'Before the start put the key master-key (fingerprint file:0011) into /srv/new/.home.',
        'Start it with: portcullis up --dir new',
        '',
      ].join('\n'),
    )
    const json = await runLine('restore backup --dir new --json', withRoom({ restore }))
    expect(JSON.parse(json.out)).toEqual(made)
  })
})
