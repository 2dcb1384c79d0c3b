import type { Client } from 'pg'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import { uuidv7 } from '#core'
import type { LedgerRecord } from '#ledger'
import { TestDatabase, verifyLog } from '../../test/harness/postgres.ts'
import { EntriesInHand, type DeadHand } from './entries-in-hand.ts'

let database: TestDatabase
let admin: Client
const opened: EntriesInHand[] = []
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  // Until PostgreSQL has run as long as a replica may be unseen, nobody is taken for dead.
  await admin.query(`select pg_sleep_until(pg_postmaster_start_time() + interval '1 second')`)
})
afterAll(async () => {
  await Promise.all(opened.map((one) => one.close()))
  await database.stop()
})

afterEach(() => admin.query('delete from portcullis.entries_in_hand'))

function replica(unseen = '1 second'): { readonly id: string; readonly hand: EntriesInHand } {
  const id = uuidv7()
  const hand = new EntriesInHand(database.settings(), id, unseen)
  opened.push(hand)
  return { id, hand }
}

function record({ replica: gone, atMost }: DeadHand): LedgerRecord {
  const nobody = { tenantId: undefined, caller: undefined, actor: undefined, code: undefined, requestId: undefined }
  const body = JSON.stringify({ args: { atMost, replica: gone } })
  return { ...nobody, log: 'system', action: 'ledger.gap', outcome: 'error', body }
}

async function unseenForAMinute(id: string): Promise<void> {
  await admin.query(`update portcullis.entries_in_hand set seen_at = now() - interval '1 minute' where replica = $1`, [
    id,
  ])
}

/** Closes it, and waits until PostgreSQL has noticed that the session is over: until then it holds its lock. */
async function ended(id: string, hand: EntriesInHand): Promise<void> {
  await hand.close()
  await vi.waitFor(
    async () => {
      const { rows: locks } = await admin.query<{ free: boolean }>(
        'select pg_try_advisory_lock(portcullis.hand_lock($1)) and pg_advisory_unlock(portcullis.hand_lock($1)) as free',
        [id],
      )
      expect(locks).toEqual([{ free: true }])
    },
    { timeout: 20_000, interval: 10 },
  )
}

const rows = async (id: string): Promise<readonly number[]> =>
  (await admin.query('select at_most from portcullis.entries_in_hand where replica = $1', [id])).rows.map(
    (row) => row.at_most,
  )

async function gapsOf(id: string): Promise<readonly { readonly atMost: number }[]> {
  const { rows: entries } = await admin.query<{ body: string }>(
    `select convert_from(entry, 'UTF8') as body from audits.entries where action = 'ledger.gap' and convert_from(entry, 'UTF8') like $1`,
    [`%${id}%`],
  )
  return entries.map(({ body }) => JSON.parse(body).body.args)
}

it('L7: the database knows what a replica has in hand, and nothing of one that has nothing', async () => {
  const { id, hand } = replica()
  await hand.hold(256)
  await hand.hold(1024)
  expect(await rows(id)).toEqual([1024])
  await hand.hold(0)
  expect(await rows(id)).toEqual([])
})

it('L7: what a replica that is gone had in hand is told by one entry, whoever looks and however often', async () => {
  const { id, hand } = replica()
  const others = [replica().hand, replica().hand]
  await hand.hold(256)
  await unseenForAMinute(id)
  // Not seen, and alive still: it holds its lock.
  for (const other of others) expect(await other.tellDead(record)).toBe(0)
  await ended(id, hand)
  const told = await Promise.all([...others, ...others].map((other) => other.tellDead(record)))
  expect(told.reduce((sum, one) => sum + one, 0)).toBe(1)
  expect(await gapsOf(id)).toEqual([{ atMost: 256, replica: id }])
  expect(await rows(id)).toEqual([])
  expect(await verifyLog(admin, 'system')).toMatchObject({ chain_valid: true })
})

it('L7: one that was seen a moment ago is given the time to come back', async () => {
  const { id, hand } = replica()
  await hand.hold(256)
  await hand.close()
  expect(await replica('1 hour').hand.tellDead(record)).toBe(0)
  expect(await rows(id)).toEqual([256])
})

it('L7: after a restart of PostgreSQL every replica is given the time to come back', async () => {
  const { id, hand } = replica()
  await hand.hold(256)
  await hand.close()
  await admin.query(`update portcullis.entries_in_hand set seen_at = now() - interval '2 hours' where replica = $1`, [
    id,
  ])
  // PostgreSQL was started less than an hour ago.
  expect(await replica('1 hour').hand.tellDead(record)).toBe(0)
  expect(await rows(id)).toEqual([256])
})

it('L7: an entry that cannot be written leaves the account as it was', async () => {
  const { id, hand } = replica()
  await hand.hold(256)
  await ended(id, hand)
  await unseenForAMinute(id)
  const other = replica().hand
  await expect(
    other.tellDead(() => {
      throw new Error('no entry')
    }),
  ).rejects.toThrow('no entry')
  expect(await rows(id)).toEqual([256])
  expect(await other.tellDead(record)).toBe(1)
})

it('L7: what is held is never part of a transaction that tells of others', async () => {
  const { id, hand } = replica()
  const failing = hand.tellDead(() => {
    throw new Error('no entry')
  })
  const gone = replica()
  await gone.hand.hold(5)
  await gone.hand.close()
  await unseenForAMinute(gone.id)
  await Promise.allSettled([failing, hand.hold(7)])
  expect(await rows(id)).toEqual([7])
})
