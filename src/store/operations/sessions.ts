import { members, ms, type OperationStatement } from './statement.ts'

export const sessionColumns = `s.id, s.operator_id as "operatorId", s.app_id as "appId", ${ms('s.created_at', 'createdAtMs')},
  ${ms('s.expires_at', 'expiresAtMs')}, ${ms('s.revoked_at', 'revokedAtMs')}`

/** Spends a one-time sign-in code; of two that race, the function lets one win. */
export const openSession: OperationStatement = {
  name: 'session.open',
  text: `with ${members('"codeDigest" text, "sessionDigest" text')}
  select m.n, s.operator_id as "operatorId", s.tenant_id as "tenantId"
    from m cross join lateral portcullis.open_session(decode(m."codeDigest", 'hex'), decode(m."sessionDigest", 'hex')) s`,
}

/** A session for somebody who has just shown a password, or comes back from the issuer. */
export const startSession: OperationStatement = {
  name: 'session.start',
  text: `with ${members('id uuid, "sessionDigest" text, "tenantId" uuid, "operatorId" uuid, "passwordVersion" bigint')}
  select n from (
    select m.n, portcullis.start_session(m.id, decode(m."sessionDigest", 'hex'), m."tenantId", m."operatorId", m."passwordVersion") as done
      from m) started where done`,
}

/** The session that begins with the consent to an app. */
export const startAppSession: OperationStatement = {
  name: 'session.start_app',
  text: `with ${members('id uuid, "tenantId" uuid, "operatorId" uuid, "appId" text, "grantId" text, "expiresAtMs" float8')}
  select n from (
    select m.n, portcullis.start_app_session(m.id, m."tenantId", m."operatorId", m."appId", m."grantId",
      to_timestamp(m."expiresAtMs" / 1000)) as done from m) started where done`,
}

/** A password, chosen under a one-time link or by whoever is signed in. */
export const setPassword: OperationStatement = {
  name: 'password.set',
  text: `with ${members('"codeDigest" text, "sessionDigest" text, hash text, "newId" uuid, "newDigest" text')}
  select m.n, s.operator_id as "operatorId", s.tenant_id as "tenantId"
    from m cross join lateral portcullis.set_password(decode(m."codeDigest", 'hex'), decode(m."sessionDigest", 'hex'), m.hash,
      m."newId", decode(m."newDigest", 'hex')) s`,
}

export const closeSession: OperationStatement = {
  name: 'session.close',
  text: `with ${members('"sessionDigest" text')}
  select m.n, s.operator_id as "operatorId", s.tenant_id as "tenantId"
    from m cross join lateral portcullis.close_session(decode(m."sessionDigest", 'hex')) s`,
}

export const revokeSession: OperationStatement = {
  name: 'session.revoke',
  text: `with ${members('id uuid, "platformToo" boolean')}
  select m.n, ${sessionColumns} from m cross join lateral portcullis.revoke_session(m.id, m."platformToo") s`,
}
