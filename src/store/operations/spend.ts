import type { SpendArgs, SpendOutcome, WriterMember } from '#hub'
import type { Statement } from '../connection.ts'
import { recordAttempt, recordEvent } from './runs.ts'
import type { OperationStatement } from './statement.ts'

/** Locks what is spent from and says what stands there; what is decided on it is written by the statements below. */
export const openSpending: OperationStatement = {
  name: 'spend.open',
  text: 'select * from portcullis.open_spending($1::json)',
}

/** What the look needs of a call: whose it is and what it names. Everything else stays here. */
export function lookOf(args: SpendArgs): object {
  switch (args.kind) {
    case 'reserve': {
      const { runId, agentId, keyId, models, tool } = args
      return { asks: true, runId, agentId, keyId, models, tool }
    }
    case 'attempt': {
      const { attempt, agentId, keyId, models, tool, reservationId } = args
      return { asks: true, reservationId, runId: attempt.runId, agentId, keyId, models, tool }
    }
    case 'settle':
    case 'extend':
    case 'release':
    case 'expire':
      return { asks: false, reservationId: args.reservationId }
    default:
      return args satisfies never
  }
}

/** Before changes of budgets lock theirs: reservations come first, whatever else the batch holds. */
export function lockReservations(members: readonly WriterMember[]): readonly Statement[] {
  const ids = members.flatMap(({ effect }) => {
    if (effect === undefined) return []
    return ('parts' in effect ? effect.parts : [effect]).flatMap(({ args, operation }) => {
      if (operation !== 'spend') return []
      const spends = args as SpendArgs
      return 'reservationId' in spends && spends.reservationId !== null ? [spends.reservationId] : []
    })
  })
  if (ids.length === 0) return []
  const text = `select from portcullis.reservations where tenant_id = (select portcullis.tenant()) and id = any ($1::uuid[])
    order by id for no key update`
  return [{ name: 'spend.lock', text, values: [`{${ids.join(',')}}`] }]
}

const makeText = `insert into portcullis.reservations (tenant_id, id, run_id, agent_id, key_id, provider_type, provider, model, models, tool,
    state, legs, attempt_id, held_nano_usd, held_tokens, settled_nano_usd, settled_tokens, settled_requests, price_version, created_at,
    expires_at, ended_at)
  select (select portcullis.tenant()), id, "runId", "agentId", "keyId", "providerType", provider, model, models, tool, state, legs,
         "attemptId", "heldNanoUsd", "heldTokens", "settledNanoUsd", "settledTokens", "settledRequests", "priceVersion",
         to_timestamp("createdAtMs" / 1000), to_timestamp("expiresAtMs" / 1000), to_timestamp("endedAtMs" / 1000)
    from json_to_recordset($1::json) as m(id uuid, "runId" uuid, "agentId" uuid, "keyId" uuid, "providerType" text, provider text,
      model text, models text[], tool text, state smallint, legs jsonb, "attemptId" uuid, "heldNanoUsd" bigint, "heldTokens" bigint,
      "settledNanoUsd" bigint, "settledTokens" bigint, "settledRequests" smallint, "priceVersion" text, "createdAtMs" float8,
      "expiresAtMs" float8, "endedAtMs" float8)`

// Arrays of one width: their items are found by their place, and the rows along the primary key, whatever the size of the table.
const changeText = `update portcullis.reservations r
   set (state, held_nano_usd, held_tokens, seen_nano_usd, seen_tokens, settled_nano_usd, settled_tokens, settled_requests, expires_at,
        ended_at, late, killed, attempt_id, legs) = (
     select ($2::smallint[])[i], ($3::bigint[])[i], ($4::bigint[])[i], ($5::bigint[])[i], ($6::bigint[])[i], ($7::bigint[])[i],
            ($8::bigint[])[i], ($9::smallint[])[i], to_timestamp(($10::float8[])[i] / 1000), to_timestamp(($11::float8[])[i] / 1000),
            ($12::boolean[])[i], ($13::boolean[])[i], ($14::uuid[])[i],
            coalesce(nullif($15::jsonb -> (i - 1), 'null'), r.legs)
       from array_position($1::uuid[], r.id) as i)
 where r.tenant_id = (select portcullis.tenant()) and r.id = any ($1::uuid[])`

// What stands there was read under the lock of the budget.
const bookText = `insert into portcullis.budget_windows as w (tenant_id, budget_id, subject, start_at, held, settled, alerted)
  select (select portcullis.tenant()), "budgetId", subject, to_timestamp("startMs" / 1000), held, settled, alerted
    from json_to_recordset($1::json) as m("budgetId" uuid, subject text, "startMs" float8, held bigint, settled bigint, alerted smallint)
  on conflict (tenant_id, budget_id, subject, start_at) do update
     set held = excluded.held, settled = excluded.settled, alerted = excluded.alerted, touched_on = excluded.touched_on`

// No run is ended here. Whoever changes kills locks their rows last.
const killedText = `select portcullis.cancel_killed(id, '{}', now(), settled)
  from json_to_recordset($1::json) as m(id uuid, settled int)`

/** What was decided, in the transaction that looked. */
export function spendStatements(outcome: SpendOutcome): readonly Statement[] {
  const { attempts, changed, events, killed, made, windows } = outcome
  const rows = (list: readonly object[]): readonly [string] => [JSON.stringify(list, amountsAsText)]
  return [
    ...(made.length === 0 ? [] : [{ name: 'spend.make', text: makeText, values: rows(made) }]),
    ...(changed.length === 0 ? [] : [{ name: 'spend.change', text: changeText, values: columnsOf(changed) }]),
    ...(windows.length === 0 ? [] : [{ name: 'spend.book', text: bookText, values: rows(windows) }]),
    ...(killed.length === 0 ? [] : [{ name: 'spend.killed', text: killedText, values: rows(killed) }]),
    ...(attempts.length === 0
      ? []
      : [{ ...recordAttempt, values: rows(attempts.map(({ n, p, attempt }) => ({ n, p, ...attempt }))) }]),
    ...(events.length === 0
      ? []
      : [{ ...recordEvent, values: rows(events.map((event, n) => ({ n, p: 0, ...event }))) }]),
  ]
}

function columnsOf(changed: SpendOutcome['changed']): readonly string[] {
  const column = (pick: (one: SpendOutcome['changed'][number]) => string | number | bigint | boolean | null): string =>
    `{${changed.map((one) => String(pick(one) ?? 'NULL')).join(',')}}`
  return [
    column(({ id }) => id),
    column(({ state }) => state),
    column(({ heldNanoUsd }) => heldNanoUsd),
    column(({ heldTokens }) => heldTokens),
    column(({ seenNanoUsd }) => seenNanoUsd),
    column(({ seenTokens }) => seenTokens),
    column(({ settledNanoUsd }) => settledNanoUsd),
    column(({ settledTokens }) => settledTokens),
    column(({ settledRequests }) => settledRequests),
    column(({ expiresAtMs }) => expiresAtMs),
    column(({ endedAtMs }) => endedAtMs),
    column(({ late }) => late),
    column(({ killed }) => killed),
    column(({ attemptId }) => attemptId),
    // An attempt may be booked in more than was reserved; nothing else adds to the legs.
    changed.every(({ attemptId }) => attemptId === null)
      ? '[]'
      : JSON.stringify(changed.map(({ attemptId, legs }) => (attemptId === null ? null : legs))),
  ]
}

function amountsAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
