import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Client } from 'pg'
import { TestDatabase } from '../../test/harness/postgres.ts'
import { SingleUse, singleUseDefaults } from './single-use.ts'

let database: TestDatabase
let admin: Client
let here: SingleUse
let there: SingleUse

const soon = (): number => Date.now() + 60_000

beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  here = new SingleUse({ connection: database.settings(), ...singleUseDefaults })
  there = new SingleUse({ connection: database.settings(), ...singleUseDefaults })
})
afterAll(async () => {
  await Promise.all([here.close(), there.close()])
  await database.stop()
})

describe('what may be used once', () => {
  it('G16: of all who take it at once on two replicas, exactly one is the first', async () => {
    const values = Array.from({ length: 50 }, (_, at) => `nonce-${at}`)
    // Each replica takes them in another order, each twice.
    const mine = [...values, ...values].map((value) => here.take('signature', value, soon()))
    const theirs = [...values, ...values].toReversed().map((value) => there.take('signature', value, soon()))
    const firsts = (await Promise.all([...mine, ...theirs])).filter(Boolean)
    expect(firsts).toHaveLength(values.length)
    await expect(there.take('signature', 'nonce-7', soon())).resolves.toBe(false)
  })

  it('G16: concurrent takes of one process share a statement, and only digests are stored', async () => {
    const answers = await Promise.all([
      here.take('dpop', 'one', soon()),
      here.take('dpop', 'one', soon()),
      here.take('assertion', 'one', soon()),
    ])
    expect(answers).toStrictEqual([true, false, true])
    const { rows } = await admin.query<{ text: string }>(
      `select array_agg(u::text)::text as text from portcullis.single_use u where kind <> 'signature'`,
    )
    expect(rows[0]?.text).not.toContain('one')
  })

  it('G16: the app role reaches the table through the functions alone', async () => {
    const app = await database.connect('portcullis_app')
    await expect(app.query('select from portcullis.single_use')).rejects.toThrow(/permission denied/)
    await expect(app.query('delete from portcullis.single_use')).rejects.toThrow(/permission denied/)
  })

  it('G16: rows are purged once they have been over for longer than clocks may differ, in bounded steps', async () => {
    const ended = (minutes: number): number => Date.now() - minutes * 60_000
    await Promise.all([
      here.take('signature', 'old-1', ended(11)),
      here.take('signature', 'old-2', ended(12)),
      here.take('signature', 'fresh', ended(9)),
    ])
    const purge = async (): Promise<number> => {
      const { rows } = await admin.query<{ gone: string }>('select portcullis.purge_single_use(1) as gone')
      return Number(rows[0]?.gone)
    }
    expect([await purge(), await purge(), await purge()]).toStrictEqual([1, 1, 0])
    await expect(here.take('signature', 'fresh', soon())).resolves.toBe(false)
  })

  it('G20: where the database does not answer, or too much waits, nothing is the first', async () => {
    const { client } = database.settings()
    const away = new SingleUse({
      connection: { ...database.settings(), client: { ...client, port: 1 } },
      ...singleUseDefaults,
    })
    await expect(away.take('signature', 'n', soon())).rejects.toThrow(/could not be asked/)
    await away.close()
    const full = new SingleUse({ connection: database.settings(), waitingMax: 1, deadlineMs: 2000 })
    const [first, second] = await Promise.allSettled([full.take('dpop', 'x', soon()), full.take('dpop', 'y', soon())])
    expect([first.status, second.status]).toStrictEqual(['fulfilled', 'rejected'])
    await full.close()
    const held = new SingleUse({ connection: database.settings(), waitingMax: 10, deadlineMs: 50 })
    await admin.query('begin')
    await admin.query('lock table portcullis.single_use in exclusive mode')
    await expect(held.take('dpop', 'z', soon())).rejects.toThrow(/within 50 ms/)
    await admin.query('rollback')
    await held.close()
  })
})
