import { describe, expect, it } from 'vitest'
import { FakeStartError, fakeIo, fakeServerRoom, runLine, type FakeIo } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

const withRoom = (given: Partial<ServerRoom>): FakeIo =>
  fakeIo({ server: () => Promise.resolve(fakeServerRoom(given)) })

const pruned = {
  retentionClass: 'default',
  policy: { framework: 'custom', keepDays: 30, hotDays: 30 },
  months: [
    { name: 'entries_default_202607', stays: undefined, why: 'expired' },
    { name: 'entries_default_202611', stays: 'not_expired', why: 'it is kept until 2026-12-31' },
  ],
  logs: [{ log: 'acme', from: 0, below: 300, archive: undefined }],
  keepArchiveUntil: '2026-08-31',
}

class FakeRefusal extends FakeStartError {
  readonly isRefusal = true
}

describe('ledger prune', () => {
  it('L12: needs a folder for the archive, or a dry run', async () => {
    const { code, err } = await runLine('ledger prune')
    expect([code, err]).toEqual([2, expect.stringContaining('Add --archive DIR, or look first with --dry-run.')])
  })

  it('L12: a dry run has no archive, whatever else is said, and tells what would go and why the rest stays', async () => {
    const archives: (string | undefined)[] = []
    const pruneLedger: ServerRoom['pruneLedger'] = (_, { archive }) => {
      archives.push(archive)
      return Promise.resolve([pruned])
    }
    const { code, out } = await runLine('ledger prune --dry-run --archive /tmp/x', withRoom({ pruneLedger }))
    expect([code, archives]).toEqual([0, [undefined]])
    expect(out).toBe(
      [
        'class default',
        '  entries_default_202607  would go: expired',
        '  entries_default_202611  stays: it is kept until 2026-12-31',
        '  log acme: entries 0 to 299; it begins at 300 then',
        '  keep the archive until 2026-08-31',
        '',
      ].join('\n'),
    )
  })

  it('L12: progress is on stderr, --json is one document alone, and what is given up is passed on', async () => {
    const pruneLedger: ServerRoom['pruneLedger'] = (place, { say, waitMs, withoutSinks }) => {
      say('waiting')
      expect([place.configFile, place.by, waitMs, withoutSinks]).toEqual(['p.yaml', 'ada', 5000, ['old']])
      return Promise.resolve([pruned])
    }
    const line = 'ledger prune --config p.yaml --archive /tmp/x --by ada --wait 5 --without-sink old'
    const { err } = await runLine(line, withRoom({ pruneLedger }))
    expect(err).toBe('waiting\n')
    const json = await runLine(`${line} --json`, withRoom({ pruneLedger }))
    expect([JSON.parse(json.out), json.err]).toEqual([
      { dryRun: false, classes: [JSON.parse(JSON.stringify(pruned))] },
      '',
    ])
  })

  it('L12: what a rule refuses exits with 1, what is wrong with the deployment with 3', async () => {
    const failing = (fault: Error) => withRoom({ pruneLedger: () => Promise.reject(fault) })
    const refused = await runLine('ledger prune --dry-run', failing(new FakeRefusal('a hold', ['release it'])))
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('release it')])
    const broken = await runLine('ledger prune --dry-run', failing(new FakeStartError('no instance', ['name it'])))
    expect(broken.code).toBe(3)
  })
})

describe('ledger hold', () => {
  it.each([
    ['ledger hold place --reason x', 'Give one of --tenant and --log.'],
    ['ledger hold place --reason x --tenant a --log b', 'Give one of --tenant and --log.'],
    ['ledger hold place --reason x --tenant a --until soon', 'Write a day as 2027-06-30'],
    ['ledger hold place --reason x --tenant a --until 2027-13-40', 'Write a day as 2027-06-30'],
    ['ledger hold release 17 --reason x', '`portcullis ledger hold list` has the ids.'],
    ['ledger hold place --tenant a', 'reason'],
  ])('L12: `%s` is wrong use', async (line, todo) => {
    const { code, err } = await runLine(line)
    expect([code, err]).toEqual([2, expect.stringContaining(todo)])
  })

  it('L12: a day is over at its end, in UTC', async () => {
    const holds: unknown[] = []
    const placeHold: ServerRoom['placeHold'] = (_, hold) => {
      holds.push(hold)
      return Promise.resolve()
    }
    const { out } = await runLine(
      'ledger hold place --tenant acme --reason case --until 2027-06-30',
      withRoom({ placeHold }),
    )
    expect(holds).toEqual([{ tenant: 'acme', log: undefined, reason: 'case', until: '2027-06-30T23:59:59.000Z' }])
    expect(out).toBe('Held: all logs of acme until 2027-06-30T23:59:59.000Z.\n')
  })
})

describe('holds that are there', () => {
  const id = '5b0c1d3e-8a4f-4f5e-9b1a-2f6f0c7d8e90'
  const hold = {
    id,
    subject: 'tenant acme',
    reason: 'case\u001B[2J 4711',
    placedBy: 'ada',
    placedAt: '2026-11-01T00:00:00Z',
    until: undefined,
    releasedAt: undefined,
  }

  it('L12: are listed with who placed them and how they end', async () => {
    const ended = [
      { ...hold, until: '2027-06-30T23:59:59Z' },
      { ...hold, releasedAt: '2026-11-20T00:00:00Z' },
    ]
    const listRetention = () => Promise.resolve({ logs: [], months: [], holds: [hold, ...ended] })
    const { out } = await runLine('ledger hold list', withRoom({ listRetention }))
    const said = String.raw`${id}  tenant acme  case\u{1b}[2J 4711  ada 2026-11-01T00:00:00Z`
    expect(out).toBe(
      ['in force', '2027-06-30T23:59:59Z', 'released 2026-11-20T00:00:00Z'].map((end) => `${said}  ${end}\n`).join(''),
    )
    const json = await runLine('ledger hold list --json', withRoom({ listRetention }))
    expect(JSON.parse(json.out).holds).toHaveLength(3)
    expect(await runLine('ledger hold list')).toEqual({ code: 0, out: '', err: 'There are no holds.\n' })
  })

  it('L12: are released by their id, with the reason and who does it', async () => {
    const released: unknown[] = []
    const releaseHold: ServerRoom['releaseHold'] = ({ by }, ...given) => {
      released.push([by, ...given])
      return Promise.resolve()
    }
    const line = `ledger hold release ${id} --reason closed --by ada`
    expect((await runLine(line, withRoom({ releaseHold }))).out).toBe(`Released ${id}.\n`)
    const json = await runLine(`${line} --json`, withRoom({ releaseHold }))
    expect(JSON.parse(json.out)).toEqual({ id, released: true })
    expect(released).toEqual([
      ['ada', id, 'closed'],
      ['ada', id, 'closed'],
    ])
  })
})

describe('ledger retention', () => {
  it('L4: says which log the entries of a tenant go to, and lists each log with its policy', async () => {
    const { out } = await runLine('ledger retention set clinic hipaa')
    expect(out).toBe('The entries of clinic go to the log clinic/hipaa from now on.\n')
    const policy = { framework: 'hipaa', keepDays: 2192, hotDays: 730 }
    const log = { log: 'clinic/hipaa', class: 'hipaa', entries: 2, begins_at: 5, policy }
    const listRetention = () => Promise.resolve({ logs: [log], months: [], holds: [] })
    const list = await runLine('ledger retention list', withRoom({ listRetention }))
    expect(list.out).toBe('log clinic/hipaa  class hipaa  2 entries from 5  2192 days, 730 in the database\n')
  })
})
