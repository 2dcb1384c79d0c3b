import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canonicalJson, isRefusal, uuidv7 } from '#core'
import type { EventCursor, ReadScope, TokenEvents } from '#hub'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { Reader } from './reader.ts'

let database: TestDatabase
let app: Client
let admin: Client
let reader: Reader
let tenant: TestTenant
let scope: ReadScope
let count = 0

beforeAll(async () => {
  database = await TestDatabase.start()
  app = await database.connect('portcullis_app')
  admin = await database.connect('postgres')
  reader = new Reader(database.settings(), 1)
})
afterAll(async () => {
  await reader.close()
  await database.stop()
})

async function newTenant(): Promise<TestTenant> {
  count += 1
  tenant = await database.makeTenant(`events-${count}`)
  scope = { tenantId: tenant.id, platform: false }
  return tenant
}

/** Entries of that kind, in one append. */
async function append(kind: string, times = 1, filler = ''): Promise<void> {
  const lines = (of: (at: number) => string): string => Array.from({ length: times }, (_, at) => of(at)).join('\n')
  const body = canonicalJson({ filler, kind, n: count })
  await app.query('select * from audits.append($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
    lines(() => tenant.name),
    lines(() => tenant.id),
    lines(() => ''),
    lines(() => ''),
    lines(() => kind),
    lines(() => 'allow'),
    lines(() => ''),
    lines((at) => `req_${uuidv7()}_${at}`),
    lines(() => body),
  ])
}

const seqs = ({ rows }: TokenEvents): readonly string[] => rows.map(({ log, seq }) => `${log}:${seq}`)
async function look(cursor?: EventCursor, limit = 100): Promise<TokenEvents> {
  const found = await reader.tokenEvents(scope, cursor, limit)
  return isRefusal(found) ? expect.fail(found.reason) : found
}

describe('the events of a tenant', () => {
  it('A11: begin now, and go on from the cursor without a gap', async () => {
    const { name } = await newTenant()
    await append('token.issued')
    const begun = await look()
    expect([seqs(begun), begun.more]).toEqual([[], false])
    await append('decision', 3)
    await append('token.issued')
    await append('refresh_replay')
    await append('token.introspected')
    const found = await look(begun.next)
    const first = Number(begun.next[name])
    expect(seqs(found)).toEqual([`${name}:${first + 3}`, `${name}:${first + 4}`])
    expect(found).toMatchObject({ next: { [name]: first + 6 }, more: false })
    expect(seqs(await look(found.next))).toEqual([])
    // The same question has the same answer.
    expect(seqs(await look(begun.next))).toEqual(seqs(found))
  })

  it('A11: come in pages, by their number and by their bytes, and none is left out', async () => {
    const { name } = await newTenant()
    const begun = await look()
    await append('token.issued', 25)
    await append('token.issued', 30, 'x'.repeat(50_000))
    const all: string[] = []
    let cursor = begun.next
    for (let pages = 0; ; pages += 1) {
      const page = await look(cursor, 20)
      expect(page.rows.length).toBeLessThanOrEqual(21)
      all.push(...seqs(page))
      cursor = page.next
      if (!page.more) break
      expect(pages).toBeLessThan(20)
    }
    const first = Number(begun.next[name])
    expect(all).toEqual(Array.from({ length: 55 }, (_, at) => `${name}:${first + at}`))
  })

  it('A11: a part without any is passed by in bounded steps', async () => {
    const { name } = await newTenant()
    const begun = await look()
    const size = Number(begun.next[name])
    // A head that says so is as good as the entries.
    await append('decision', 200)
    await append('token.revoked')
    expect(await look({ [name]: 0 })).toMatchObject({ more: false, next: { [name]: size + 201 } })
    expect((await look({ [name]: 0 })).rows).toHaveLength(1)
  })

  it('A11: a cursor from beyond the end, or of another log, is put right', async () => {
    const { name } = await newTenant()
    await append('token.issued')
    const end = (await look()).next[name]
    expect((await look({ [name]: 10 ** 14 })).next).toEqual({ [name]: end })
    expect(seqs(await look({ elsewhere: 3 }))).toEqual([`${name}:${Number(end) - 1}`])
  })

  it('A11: go on in the log of another retention class', async () => {
    const { name } = await newTenant()
    const begun = await look()
    await append('token.issued')
    await admin.query('select audits.set_retention_class($1, $2, $3, $4)', [
      name,
      'hipaa',
      'test',
      canonicalJson({ kind: 'retention.class_set' }),
    ])
    await append('token.refreshed')
    const found = await look(begun.next)
    const kinds = found.rows.map(({ entry }) => JSON.parse(Buffer.from(entry).toString()).body.kind)
    expect(kinds).toEqual(['token.issued', 'token.refreshed'])
    expect(Object.keys(found.next)).toHaveLength(2)
    await append('token.revoked')
    expect((await look(found.next)).rows).toHaveLength(1)
  })

  it('G11: are those of no other tenant', async () => {
    const mine = await newTenant()
    await append('token.issued')
    const other = await newTenant()
    await append('token.issued')
    const found = await look({ [mine.name]: 0, [other.name]: 0, system: 0 })
    expect(new Set(found.rows.map(({ log }) => log))).toEqual(new Set([other.name]))
    expect(Object.keys(found.next)).toEqual([other.name])
  })
})
