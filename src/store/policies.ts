import type { PolicyRow, StoredPolicy } from '#hub'
import type { Statement } from './connection.ts'
import { policyColumns } from './operations/policies.ts'

export type PolicyLine = PolicyRow & { readonly there: boolean | null; readonly killReason: string | null }

/** The policy of the tenant and, as the last kill of all of it that is in force, why it stands still. */
export const policyStatement: Statement = {
  name: 'read.policy',
  text: `select p.tenant_id is not null as there, ${policyColumns}, k.reason as "killReason"
    from (select portcullis.tenant() as id) t
    left join portcullis.policies p on p.tenant_id = t.id
    left join lateral (
      select k.reason from portcullis.kills k
       where k.tenant_id = t.id and k.released_at is null and k.scope = 2 and (k.expires_at is null or k.expires_at > clock_timestamp())
       order by k.id desc limit 1) k on true`,
  values: [],
}

export function storedPolicy([line]: readonly PolicyLine[]): StoredPolicy {
  if (line === undefined) throw new Error('the policy of a tenant answered no row')
  const { there, killReason, ...policy } = line
  return {
    policy: there === true ? policy : undefined,
    kill: killReason === null ? undefined : { reason: killReason },
  }
}
