import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ReserveRequestSchema, ReserveResponseSchema, SettleRequestSchema } from '@portcullis/contract'
import { systemClock } from '#core'
import { open, unary } from '#demo'
import { decideSpending } from '#hub'
import { Writer, writerDefaults } from '#store'
import { putBudget, reserveArgs, settleArgs, spend } from '../../src/store/spending.fixture.ts'
import { TestDatabase, type TestTenant } from '../../test/harness/postgres.ts'
import { median, type Bar } from '../bar.ts'
import { startOurs } from '../ours.ts'
import { callers, type CallersResult } from '../p3/callers.ts'
import { NaiveBudget } from './naive.ts'

const callersCount = 256
const amount = 1000n
const plenty = 10n ** 17n

/** P4: reserve and settle on one hot budget, many calls in one transaction, against one transaction for each, on one PostgreSQL. */
export const p4: Bar = {
  id: 'P4',
  claim: 'reserve and settle on one hot tenant against the same one by one, 256 callers',
  run: async ({ rounds, seconds, say }) => {
    const database = await TestDatabase.start()
    const tenant = await database.makeTenant('bench')
    const writer = new Writer(
      { connection: database.settings(), ...writerDefaults, spending: { decide: decideSpending } },
      systemClock,
    )
    const naive = await NaiveBudget.make({ connectionString: database.url('portcullis_owner', 'portcullis') }, plenty)
    try {
      await putBudget(writer, tenant, { limit: plenty.toString() })
      const ours = (): Promise<void> => lifecycle(writer, tenant)
      const twin = async (): Promise<void> => {
        const id = await naive.reserve(amount)
        if (id === undefined) throw new Error('the twin had no room')
        await naive.settle(id, amount - 1n)
      }
      await callers(callersCount, 1, ours)
      await callers(callersCount, 1, twin)
      const many: { readonly ours: CallersResult; readonly twin: CallersResult }[] = []
      for (let round = 0; round < rounds; round += 1) {
        many.push({
          ours: await callers(callersCount, seconds, ours),
          twin: await callers(callersCount, seconds, twin),
        })
        const last = many.at(-1)
        say(
          `round ${round + 1}: ours ${last?.ours.perSecond.toFixed(0)}, twin ${last?.twin.perSecond.toFixed(0)} lifecycles/s`,
        )
      }
      const alone = await callers(1, seconds, ours)
      await expectExact(database)
      const overshoot = await overshoots(writer, database, naive)
      say('over gRPC')
      return {
        ours: median(many.map((round) => round.ours.perSecond)),
        twin: median(many.map((round) => round.twin.perSecond)),
        ratio: median(many.map((round) => round.ours.perSecond / round.twin.perSecond)),
        unit: 'lifecycles/s',
        more: {
          oursP99Ms: median(many.map((round) => round.ours.p99Ms)),
          twinP99Ms: median(many.map((round) => round.twin.p99Ms)),
          ours1: alone.perSecond,
          ...overshoot,
          oursGrpc: await overGrpc(seconds),
        },
      }
    } finally {
      await naive.close()
      await writer.close()
      await database.stop()
    }
  },
}

async function lifecycle(writer: Writer, tenant: TestTenant): Promise<void> {
  const args = reserveArgs(tenant, amount)
  const { result } = await spend(writer, tenant, args)
  if (result.refused) throw new Error(`a reserve was refused: ${result.code}`)
  const settled = await spend(writer, tenant, settleArgs(tenant, args.id, amount - 1n))
  if (settled.result.refused) throw new Error(`a settlement was refused: ${settled.result.code}`)
}

async function expectExact(database: TestDatabase): Promise<void> {
  const admin = await database.connect('postgres')
  const { rows } = await admin.query('select * from portcullis.check_budgets()')
  if (rows.length > 0) throw new Error(`the sums are wrong, the figures mean nothing: ${JSON.stringify(rows[0])}`)
}

/** How many calls of $0.10 a budget of $5 lets in at the same time: fifty are right. */
async function overshoots(
  writer: Writer,
  database: TestDatabase,
  naive: NaiveBudget,
): Promise<Readonly<Record<'admittedOurs' | 'admittedTwin' | 'admittedRight', number>>> {
  const dime = 100_000_000n
  const tenant = await database.makeTenant('overshoot')
  await putBudget(writer, tenant, { limit: (50n * dime).toString() })
  const calls = Array.from({ length: 1000 })
  const ours = await Promise.all(calls.map(() => spend(writer, tenant, reserveArgs(tenant, dime))))
  const twin = await Promise.all(calls.map(() => naive.checkThenAdd(dime, 50n * dime)))
  return {
    admittedOurs: ours.filter(({ result }) => !result.refused).length,
    admittedTwin: twin.filter(Boolean).length,
    admittedRight: 50,
  }
}

/** Lifecycles a second through the gate, with everything that a call has. */
async function overGrpc(seconds: number): Promise<number> {
  const server = await startOurs()
  try {
    const { key } = await server.agent('bench', ['budget:spend'])
    const window = { kind: 'WINDOW_KIND_CALENDAR', duration: 'day' }
    const subject = { kind: 'SUBJECT_KIND_TENANT' }
    const budget = { subject, unit: 'BUDGET_UNIT_NANO_USD', limit: plenty.toString(), window }
    await server.call('BudgetService/UpsertBudget', { budget })
    const sessions = await Promise.all(Array.from({ length: 4 }, () => open(server.grpc)))
    const headers = { authorization: `Bearer ${key}` }
    const reserve = toBinary(ReserveRequestSchema, create(ReserveRequestSchema, { model: 'm', amountNanoUsd: amount }))
    let turn = 0
    const one = async (): Promise<void> => {
      const session = sessions[turn++ % sessions.length]
      if (session === undefined) throw new Error('no session')
      const held = await unary(session, { path: '/portcullis.v1.BudgetService/Reserve', headers, message: reserve })
      const { reservationId } = fromBinary(ReserveResponseSchema, held.bytes)
      const message = toBinary(
        SettleRequestSchema,
        create(SettleRequestSchema, { reservationId, amountNanoUsd: amount }),
      )
      const settled = await unary(session, { path: '/portcullis.v1.BudgetService/Settle', headers, message })
      if (settled.status !== '0') throw new Error(`a settlement was answered with ${settled.status}`)
    }
    await callers(callersCount, 1, one)
    const { perSecond } = await callers(callersCount, seconds, one)
    for (const session of sessions) session.close()
    return perSecond
  } finally {
    await server.stop()
  }
}
