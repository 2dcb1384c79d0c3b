import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { makeKey, publicId, sha256, tenantAdminScopes, uuidv7 } from '#core'
import type { TestInstance } from './instance.ts'

/** A viewer of the tenant whose admin holds the key; without one, of `main`. */
export async function makeOperator(instance: TestInstance, name: string, key?: string): Promise<string> {
  const { body } = await instance.call(
    'IdentityService/CreateOperator',
    { name, role: 'OPERATOR_ROLE_VIEWER' },
    key === undefined ? {} : { key },
  )
  return body.operator.id
}

/** A session that nobody holds the cookie of. */
export async function plantSession(instance: TestInstance, operatorId: string): Promise<string> {
  const postgres = await instance.connect('postgres')
  const { rows } = await postgres.query<{ id: string }>(
    `insert into portcullis.sessions (digest, tenant_id, operator_id, expires_at)
       select $2, o.tenant_id, o.id, now() + interval '1 hour' from portcullis.operators o where o.id = $1 returning id`,
    [operatorId.slice('opr_'.length), randomBytes(32)],
  )
  await postgres.end()
  return publicId('ses', rows[0]?.id ?? '')
}

/** A key of an operator, as `admin recover` makes one, once the instance knows it. */
export async function operatorKey(
  instance: TestInstance,
  operatorId: string,
): Promise<{ readonly key: string; readonly keyId: string }> {
  const id = uuidv7()
  const { text, secret } = makeKey(id)
  const postgres = await instance.connect('postgres')
  await postgres.query(
    `insert into portcullis.keys (tenant_id, id, operator_id, digest, scopes)
       select o.tenant_id, $2, o.id, $3, $4 from portcullis.operators o where o.id = $1`,
    [operatorId.slice('opr_'.length), id, sha256(secret), tenantAdminScopes],
  )
  await postgres.query(`select pg_notify('portcullis_credentials', '')`)
  await postgres.end()
  const key = text.reveal()
  await expect.poll(async () => (await instance.call('HubService/ListRuns', {}, { key })).status).toBe(200)
  return { key, keyId: publicId('key', id) }
}
