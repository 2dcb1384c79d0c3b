import type { Client } from 'pg'
import { makeCode, makeKey, platformAdminScopes, publicId, sha256, uuidv7, type Secret } from '#core'
import { encodeBody, type EntryKind } from '#ledger'

const codeMinutes = 15

/** A connection as the owner role. */
export type Owner = Client

/** A key of the first operator, with a one-time sign-in code. Both are shown once and stored as digests. */
export interface AdminAccess {
  readonly key: Secret
  readonly signInCode: string
}

/** Makes the tenant `main`, its logs and the first admin, in one transaction with their entry; undefined where they exist. */
export async function ensureFirstAdmin(owner: Client): Promise<AdminAccess | undefined> {
  return inTransaction(owner, async () => {
    await owner.query(`select pg_advisory_xact_lock(hashtext('portcullis first admin'))`)
    const { rowCount } = await owner.query(`select from portcullis.tenants where name = 'main'`)
    if (rowCount !== 0) return undefined
    const [tenantId, operatorId, keyId] = [uuidv7(), uuidv7(), uuidv7()]
    const { text, secret } = makeKey(keyId)
    await owner.query(`select audits.create_log('system', null)`)
    await owner.query('select portcullis.create_tenant($1, $2, $3, $4, $5, $6)', [
      tenantId,
      'main',
      operatorId,
      keyId,
      sha256(secret),
      platformAdminScopes,
    ])
    await append(owner, 'system.initialised', {
      key: publicId('key', keyId),
      operator: publicId('opr', operatorId),
      tenant: publicId('ten', tenantId),
    })
    return { key: text, signInCode: await makeSignInCode(owner, tenantId, operatorId) }
  })
}

/** Another key for the first admin, for whoever holds the database's owner role: recorded in the log `system`. */
export async function recoverFirstAdmin(owner: Client): Promise<AdminAccess> {
  return inTransaction(owner, async () => {
    const { rows } = await owner.query<{ tenant_id: string; id: string }>(
      `select o.tenant_id, o.id from portcullis.operators o join portcullis.tenants t on t.id = o.tenant_id where t.name = 'main' and o.name = 'admin'`,
    )
    const operator = rows[0]
    if (operator === undefined) throw new Error('there is no first admin to recover: start the server once')
    const keyId = uuidv7()
    const { text, secret } = makeKey(keyId)
    await owner.query(
      `insert into portcullis.keys (tenant_id, id, operator_id, digest, scopes) values ($1, $2, $3, $4, $5)`,
      [operator.tenant_id, keyId, operator.id, sha256(secret), platformAdminScopes],
    )
    await owner.query(`select pg_notify('portcullis_credentials', '')`)
    await append(owner, 'admin.recovered', { key: publicId('key', keyId), operator: publicId('opr', operator.id) })
    return { key: text, signInCode: await makeSignInCode(owner, operator.tenant_id, operator.id) }
  })
}

async function makeSignInCode(owner: Client, tenantId: string, operatorId: string): Promise<string> {
  const code = makeCode().reveal()
  await owner.query(
    `insert into portcullis.sign_in_codes (digest, tenant_id, operator_id, expires_at)
     values ($1, $2, $3, now() + make_interval(mins => $4))`,
    [sha256(code), tenantId, operatorId, codeMinutes],
  )
  return code
}

async function append(owner: Client, kind: EntryKind, args: Readonly<Record<string, string>>): Promise<void> {
  const body = encodeBody({
    access: 'system',
    args,
    at: new Date().toISOString(),
    bypass: false,
    elapsedUs: 0,
    id: publicId('ent', uuidv7()),
    kind,
    method: '(owner role)',
    outcome: 'allow',
  })
  await owner.query(`select * from audits.append('system', '', '', '', $1, 'allow', '', '', $2)`, [kind, body])
}

async function inTransaction<Result>(client: Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin')
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}
