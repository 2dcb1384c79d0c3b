import { members, ms, type OperationStatement } from './statement.ts'

// Any tenant's: the function does it in the place of the owner, and the scope of the method is for operators of the platform.
export const destroyPseudonymKey: OperationStatement = {
  name: 'pseudonym_key.destroy',
  text: `with ${members('"tenantId" uuid, version int')}
  select m.n, ${ms('gone', 'destroyedAtMs')}
    from m cross join lateral portcullis.destroy_pseudonym_key(m."tenantId", m.version) gone
   where gone is not null`,
}
