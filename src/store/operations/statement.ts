/**
 * One set-based statement per kind of operation. `$1` is a JSON array of members; each row it answers carries the `n` of its
 * member, and a member without a row was refused.
 */
export interface OperationStatement {
  readonly name: string
  readonly text: string
}

/**
 * Row-level security keeps conditions with leaky functions (`decode`, casts from text) out of an index look-up. So whatever
 * is compared with a column arrives with the column's type.
 */
export function byteaText(hex: string): string {
  return `\\x${hex}`
}

/**
 * The members that may do their work, as a common table expression: those without an idempotency key, and those whose key is
 * locked by this transaction and has no reply yet. A member of many parts names its key in one of them. The lock was taken by a
 * statement before this one; taking it again is free.
 *
 * Look-ups are lateral with a limit here and in the operations: the only plan for them is one index look-up per member,
 * whatever the planner believes about the size of a table that has just begun to grow.
 */
export function members(columns: string): string {
  return given('m.*', columns)
}

/** As `members`, for rows that leave out what is empty: texts are empty then, and numbers of 64 bits are 0. */
export function sparseMembers(columns: string): string {
  const filled = columns.split(',').map((column) => {
    const [name = '', type] = column.trim().split(' ')
    if (type === 'text') return `coalesce(m.${name}, '') as ${name}`
    return type === 'bigint' ? `coalesce(m.${name}, 0) as ${name}` : `m.${name}`
  })
  return given(['m.n, m.p, m.idem, m.lock1, m.lock2', ...filled].join(', '), columns)
}

function given(select: string, columns: string): string {
  return `given as materialized (
    select ${select} from json_to_recordset($1::json) as m(n int, p int, idem bytea, lock1 int, lock2 int, ${columns})),
  m as materialized (
    select m.* from given m where m.n <> all (array(
      select g.n from given g
        left join lateral (select true as there from portcullis.idempotency i where i.key_digest = g.idem limit 1) old on true
       where g.idem is not null and (old.there is not null or not pg_try_advisory_xact_lock(g.lock1, g.lock2)))))`
}

/** Milliseconds since the epoch of a timestamptz column, under a camelCase name. */
export function ms(column: string, name: string): string {
  return `round(extract(epoch from ${column}) * 1000)::float8 as "${name}"`
}
