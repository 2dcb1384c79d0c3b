import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { expect, it, vi } from 'vitest'
import { embeddedHome } from '../../src/server/embedded/index.ts'
import { call, databaseOf, removeInstance } from '../harness/instance.ts'
import { newFolder, noLimits, Portcullis } from '../harness/portcullis.ts'
import { Spender } from './spender.ts'

const reservations = wanted('SOAK_RESERVATIONS', 100_000)
const crashes = 20
const workers = 48
const deadlineMs = 600_000

function wanted(variable: string, byDefault: number): number {
  const given = process.env[variable]
  if (given === undefined || /^[1-9]\d{2,6}$/.test(given)) return Number(given ?? byDefault)
  throw new Error(
    `${variable} is not a number of reservations: set it to 100 or more, or leave it out for ${byDefault}`,
  )
}

it(`B4: ${reservations} reservations while server and PostgreSQL are killed in turn: the sums are exact and no hard budget is exceeded`, async () => {
  const dir = await newFolder()
  let server = Portcullis.up(dir, noLimits)
  try {
    let { http, adminKey } = await server.ready()
    const ask = (method: string, body: object): ReturnType<typeof call> =>
      call(`http://${http}`, method, body, { key: adminKey ?? '' })
    // Runs out after some two thirds: what is settled is a quarter of the largest amount, on average.
    const limit = Math.round(reservations * 100_000 * 0.15)
    const tenant = { kind: 'SUBJECT_KIND_TENANT' }
    const day = { kind: 'WINDOW_KIND_TOTAL' }
    const rolling = { kind: 'WINDOW_KIND_ROLLING', duration: '60s' }
    for (const budget of [
      { subject: tenant, unit: 'BUDGET_UNIT_NANO_USD', limit: String(limit), window: day },
      {
        subject: { kind: 'SUBJECT_KIND_MODEL', id: '*' },
        unit: 'BUDGET_UNIT_REQUESTS',
        limit: String(reservations),
        window: rolling,
      },
      { subject: tenant, unit: 'BUDGET_UNIT_TOKENS', limit: '1', window: rolling, hard: false },
    ])
      expect((await ask('BudgetService/UpsertBudget', { budget })).status).toBe(200)
    const { agent } = (await ask('IdentityService/CreateAgent', { name: 'soak' })).body
    const made = await ask('IdentityService/CreateKey', {
      agentId: agent.id,
      scopes: ['budget:spend'],
      ratePerSecond: 1_000_000,
      rateBurst: 1_000_000,
    })
    const load = new Spender(made.body.key, () => `http://${http}`, workers)
    for (let crash = 1; crash <= crashes; crash += 1) {
      await load.until(Math.floor((reservations * crash) / (crashes + 1)), deadlineMs)
      if (crash % 2 === 0) {
        await server.end('SIGKILL')
        server = Portcullis.up(dir, noLimits)
        ;({ http } = await server.ready())
      } else {
        const back = server.stderr.split('PostgreSQL is back').length
        const pidFile = join(embeddedHome(dir).home, 'pgdata', 'postmaster.pid')
        process.kill(Number((await readFile(pidFile, 'utf8')).split('\n')[0]), 'SIGKILL')
        const isBack = (): void => expect(server.stderr.split('PostgreSQL is back').length).toBeGreaterThan(back)
        await vi.waitFor(isBack, { timeout: deadlineMs, interval: 50 })
      }
      const { late, most } = await expectExact(dir, limit)
      const told = `${load.admitted.size} admitted, ${load.denied} denied, ${most} of ${limit} booked, ${late} of it late`
      process.stderr.write(`soak: crash ${crash} of ${crashes}, ${told}, the sums are exact\n`)
    }
    await load.until(reservations, deadlineMs)
    await load.stop()
    await expectExact(dir, limit)
    await expectKept(dir, load)
    expect(load.denied).toBeGreaterThan(0)
  } finally {
    await server.end('SIGKILL')
    await new Portcullis(['down', '--dir', dir]).exited
    await removeInstance(dir)
  }
})

async function asAdmin<Result>(dir: string, work: (admin: Client) => Promise<Result>): Promise<Result> {
  const admin = new Client(await databaseOf(dir, 'postgres'))
  await admin.connect()
  return work(admin).finally(() => admin.end())
}

/** The invariants, as one look at the database sees them. Answers what is booked, and how much of it was settled late. */
function expectExact(dir: string, limit: number): Promise<{ readonly most: number; readonly late: number }> {
  return asAdmin(dir, async (admin) => {
    expect((await admin.query('select * from portcullis.check_budgets()')).rows).toEqual([])
    // What was settled after its expiry was spent, and is booked beyond what its room was given to meanwhile.
    const { rows } = await admin.query<{ most: string; late: string }>(
      `select (select coalesce(max(w.held + w.settled), 0) from portcullis.budget_windows w
                 join portcullis.budgets b on b.id = w.budget_id where b.unit = 1) as most,
              (select coalesce(sum(greatest(r.settled_nano_usd - r.seen_nano_usd, 0)), 0) from portcullis.reservations r
                where r.late) as late`,
    )
    const [most, late] = [Number(rows[0]?.most), Number(rows[0]?.late)]
    expect(most - late).toBeLessThanOrEqual(limit)
    return { most, late }
  })
}

/** Every acknowledged reservation is there, settled at what was acknowledged; one that was not acknowledged is held or ended, never both. */
function expectKept(dir: string, load: Spender): Promise<void> {
  return asAdmin(dir, async (admin) => {
    const { rows } = await admin.query<{ id: string; settled: string | null }>(
      `select 'rsv_' || id as id, case state when 2 then settled_nano_usd end as settled from portcullis.reservations`,
    )
    const kept = new Map(rows.map(({ id, settled }) => [id, settled === null ? undefined : Number(settled)]))
    const lost = [...load.admitted].filter(
      ([id, settled]) => !kept.has(id) || (settled !== undefined && kept.get(id) !== settled),
    )
    expect(lost).toEqual([])
  })
}
