import { randomBytes } from 'node:crypto'
import { publicId } from '#core'
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
