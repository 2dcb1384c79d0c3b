import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { DestroyPseudonymKeyResponseSchema, GetPseudonymsResponseSchema, LedgerService } from '@portcullis/contract'
import { refuse, type Tenant } from '#core'
import { Fields } from '../fields.ts'
import { bare, read, write } from '../handler.ts'
import { effect } from '../ports.ts'

/** The keyed pseudonyms of a tenant, as the process has them in memory (SPEC L3). */
export interface PseudonymPort {
  /** One for each version of the tenant's key that is kept, the newest first. */
  all(tenant: Tenant): readonly { readonly version: number; readonly pseudonym: (value: string) => string }[]
}

const valueCharsMax = 512
const versionsMax = 1_000_000

const getPseudonyms = read(
  LedgerService.method.getPseudonyms,
  (message, { caller, pseudonyms }) => {
    const fields = new Fields()
    const value = fields.required('value', message.value, valueCharsMax)
    if (fields.refusal !== undefined) return Promise.resolve(fields.refusal)
    const made = (pseudonyms?.all(caller.tenant) ?? []).map(({ version, pseudonym }) => ({
      version,
      pseudonym: pseudonym(value),
    }))
    return Promise.resolve(create(GetPseudonymsResponseSchema, { pseudonyms: made }))
  },
  // Whatever its form, the entry has the pseudonym of what the name calls personal.
  ({ value }) => ({ personal: value }),
)

const destroyKey = write(
  LedgerService.method.destroyPseudonymKey,
  (message, { caller }) => {
    const fields = new Fields()
    const tenantId = message.tenantId === '' ? bare(caller.tenant.id) : fields.id('tenantId', message.tenantId, 'ten')
    const version = fields.integer('version', message.version, 1, versionsMax)
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'pseudonym_key.destroy',
      key: `${tenantId} ${version}`,
      args: { tenantId, version },
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such key, or it is destroyed already')
          : {
              reply: create(DestroyPseudonymKeyResponseSchema, { destroyedAt: timestampFromMs(row.destroyedAtMs) }),
            },
    })
  },
  ({ tenantId, version }) => ({ tenantId, version }),
)

export const pseudonymHandlers = [getPseudonyms, destroyKey]
