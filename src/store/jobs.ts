import type { Statement } from './connection.ts'
import { jobColumns } from './operations/jobs.ts'

export function jobStatement(id: string): Statement {
  return {
    name: 'read.job',
    text: `select ${jobColumns} from portcullis.jobs j where j.tenant_id = (select portcullis.tenant()) and j.id = $1`,
    values: [id],
  }
}

/** One look-up for each kind. */
export function lastJobsStatement(kinds: readonly string[]): Statement {
  return {
    name: 'read.last_jobs',
    text: `select ${jobColumns} from unnest(string_to_array($1, ',')) as k(kind)
      cross join lateral (select o.* from portcullis.jobs o
        where o.tenant_id = (select portcullis.tenant()) and o.kind = k.kind order by o.id desc limit 1) j`,
    values: [kinds.join(',')],
  }
}
