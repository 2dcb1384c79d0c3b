import { publicId, uuidv7 } from '#core'
import type { TestInstance } from './instance.ts'

/** Kinds whose samples may be triggered one after the other without an end of the one before. */
export const jobsMayOverlap = { PORTCULLIS__JOBS__KINDS__ROLL_UP__OVERLAP: 'allow' } as const

/** A job of the tenant whose admin holds the key, which waits until tomorrow. */
export async function plantJob(instance: TestInstance, key = instance.adminKey): Promise<string> {
  const { body } = await instance.call('IdentityService/CreateAgent', { name: `jobs-${crypto.randomUUID()}` }, { key })
  const database = await instance.connect('postgres')
  const id = uuidv7()
  await database.query(
    `with planted as (
       insert into portcullis.jobs (tenant_id, id, kind, trigger, actor, request_id, exclusive, serial, data_json)
       select a.tenant_id, $2, 'planted', 'manual', 'test', '', false, false, '' from portcullis.agents a
        where a.id = $1 returning id)
     insert into pgboss.job (id, name, start_after) select id, 'portcullis_jobs', now() + interval '1 day' from planted returning id`,
    [String(body.agent.id).slice('agt_'.length), id],
  )
  await database.end()
  return publicId('job', id)
}
