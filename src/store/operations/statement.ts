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
 * The members that may do their work, as a common table expression: those without an idempotency key, and those whose
 * idempotency row was written by this very transaction. A member whose key is older, or held by another replica, drops out.
 */
export function members(columns: string): string {
  return `m as materialized (
    select m.* from json_to_recordset($1::json) as m(n int, idem bytea, ${columns})
     where m.idem is null or exists (
       select from portcullis.idempotency i where i.key_digest = m.idem and i.xid = pg_current_xact_id()))`
}

/** Milliseconds since the epoch of a timestamptz column, under a camelCase name. */
export function ms(column: string, name: string): string {
  return `round(extract(epoch from ${column}) * 1000)::float8 as "${name}"`
}
