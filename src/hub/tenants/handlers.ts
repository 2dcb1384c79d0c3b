import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  TenantSchema,
  TenantService,
  TenantServiceCreateResponseSchema,
  TenantServiceDisableResponseSchema,
  TenantServiceListResponseSchema,
  type Tenant,
} from '@portcullis/contract'
import { isRefusal, makeKey, publicId, refuse, sha256Hex, tenantAdminScopes, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type TenantRow } from '../ports.ts'

const namePattern = /^[a-z0-9][a-z0-9-]{0,62}$/

const createTenant = write(
  TenantService.method.create,
  (message, { clock }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const name = fields.required('name', message.name, 63)
    if (!namePattern.test(name)) fields.wrong('name', 'must be lower-case letters, digits and dashes')
    if (name === 'system') fields.wrong('name', 'must not be system, which is the log of the platform')
    if (fields.refusal !== undefined) return fields.refusal
    const [id, keyId] = [uuidv7(nowMs), uuidv7(nowMs)]
    const { text, secret } = makeKey(keyId)
    return effect({
      operation: 'tenant.create',
      key: name,
      args: { id, name, operatorId: uuidv7(nowMs), keyId, keyDigest: sha256Hex(secret), keyScopes: tenantAdminScopes },
      changesCredentials: true,
      answer: (row) => {
        if (row === undefined) return refuse('object.exists', `tenant ${name} exists`)
        const tenant = tenantMessage({ id, name, createdAtMs: row.createdAtMs, disabledAtMs: null })
        const stored = create(TenantServiceCreateResponseSchema, { tenant, keyId: publicId('key', keyId) })
        return { reply: create(TenantServiceCreateResponseSchema, { ...stored, key: text.reveal() }), stored }
      },
    })
  },
  ({ name }) => ({ name }),
)

const listTenants = read(
  TenantService.method.list,
  async (message, { caller, reader }) => {
    const scope = readScope(caller, true)
    const list = await listPage('tenants', {}, message, (page) => reader.tenants(scope, page), tenantMessage)
    if (isRefusal(list)) return list
    return create(TenantServiceListResponseSchema, {
      tenants: [...list.items],
      nextPageToken: list.nextPageToken,
    })
  },
  ({ pageSize }) => ({ pageSize }),
)

const disableTenant = write(
  TenantService.method.disable,
  (message) => {
    const fields = new Fields()
    const id = fields.id('tenantId', message.tenantId, 'ten')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'tenant.disable',
      key: id,
      args: { id },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such tenant, or the tenant main')
          : { reply: create(TenantServiceDisableResponseSchema, { tenant: tenantMessage(row) }) },
    })
  },
  ({ tenantId }) => ({ tenantId }),
)

function tenantMessage(row: TenantRow): Tenant {
  return create(TenantSchema, {
    id: publicId('ten', row.id),
    name: row.name,
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.disabledAtMs === null ? {} : { disabledAt: timestampFromMs(row.disabledAtMs) }),
  })
}

export const tenantHandlers = [createTenant, listTenants, disableTenant]
