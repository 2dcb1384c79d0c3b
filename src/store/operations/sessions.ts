import { members, type OperationStatement } from './statement.ts'

/** Spends a one-time sign-in code; of two that race, the function lets one win. */
export const openSession: OperationStatement = {
  name: 'session.open',
  text: `with ${members('"codeDigest" text, "sessionDigest" text')}
  select m.n, s.operator_id as "operatorId", s.tenant_id as "tenantId"
    from m cross join lateral portcullis.open_session(decode(m."codeDigest", 'hex'), decode(m."sessionDigest", 'hex')) s`,
}
