import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock, uuidv7 } from '#core'
import type { LedgerRecord } from '#ledger'
import { Writer, writerDefaults } from '#store'
import { TestDatabase, verifyLog, type TestTenant } from '../../test/harness/postgres.ts'
import { CuttingProxy, type Cut } from '../../test/harness/proxy.ts'
import { BestEffort } from './best-effort.ts'

let database: TestDatabase
let admin: Client
let tenant: TestTenant
let proxy: CuttingProxy
beforeAll(async () => {
  database = await TestDatabase.start()
  admin = await database.connect('postgres')
  tenant = await database.makeTenant('ahead')
  proxy = await CuttingProxy.start(database.postgres.port)
})
afterAll(async () => {
  await proxy.stop()
  await database.stop()
})

function record(requestId: string): LedgerRecord {
  const nobody = { caller: undefined, actor: undefined, code: undefined }
  const body = JSON.stringify({ id: requestId })
  return { ...nobody, log: tenant.name, tenantId: tenant.id, action: 'asked', outcome: 'allow', requestId, body }
}

async function written(round: string): Promise<readonly string[]> {
  const { rows } = await admin.query<{ id: string }>(
    'select request_id as id from audits.entries where log = $1 and request_id like $2 order by seq',
    [tenant.name, `${round}-%`],
  )
  return rows.map(({ id }) => id)
}

describe('entries of calls that were answered first', () => {
  it.each(['at_begin', 'before_commit', 'after_commit'] as const)(
    'L7: a connection that is cut %s makes none of them lost, and none twice',
    async (cut: Cut) => {
      const writer = new Writer({ connection: database.settings(proxy.port), ...writerDefaults, lanes: 1 }, systemClock)
      const best = new BestEffort(writer, systemClock, () => undefined)
      const round = uuidv7()
      const asked = Array.from({ length: 400 }, (_, at) => `${round}-${at}`)
      // Connected first, so that the cut meets the entries.
      best.offer(record(`${round}-first`))
      await vi.waitFor(() => expect(best.queued).toBe(0))
      await vi.waitFor(async () => expect(await written(round)).toHaveLength(1))
      const before = proxy.cuts
      proxy.cutNext(cut)
      for (const id of asked) best.offer(record(id))
      await vi.waitFor(async () => expect((await written(round)).length).toBeGreaterThanOrEqual(401), {
        timeout: 30_000,
      })
      await best.close()
      await writer.close()
      expect(proxy.cuts).toBe(before + 1)
      expect((await written(round)).toSorted()).toEqual([`${round}-first`, ...asked].toSorted())
      expect(best.lost).toBe(0)
      expect(await verifyLog(admin, tenant.name)).toMatchObject({ chain_valid: true })
    },
  )

  it('L7: a batch that has not committed never will, once it has been asked for', async () => {
    const writer = new Writer({ connection: database.settings(), ...writerDefaults }, systemClock)
    const batch = uuidv7()
    // However often it is asked for, since an answer can be lost, too.
    expect([await writer.committed(batch), await writer.committed(batch)]).toEqual([false, false])
    const app = await database.connect('portcullis_app')
    await expect(app.query('insert into portcullis.commits (id) values ($1)', [batch])).rejects.toThrow(/duplicate key/)
    await writer.close()
  })
})
