import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  CreateOperatorResponseSchema,
  DisableOperatorResponseSchema,
  IdentityService,
  ListOperatorsResponseSchema,
  OperatorRole as Role,
  OperatorSchema,
  type Operator,
} from '@portcullis/contract'
import {
  isPlatform,
  isRefusal,
  makeCode,
  publicId,
  refuse,
  roleScopes,
  sha256Hex,
  uuidv7,
  type OperatorRole,
  type Refusal,
} from '#core'
import { maskText } from '#ledger'
import { Fields } from '../fields.ts'
import { read, readScope, write, type HandlerContext } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type OperatorRow } from '../ports.ts'
import { agentNamePattern, grantableBy } from './rules.ts'

const codeMinutes = 60

const roleNames: ReadonlyMap<Role, OperatorRole> = new Map([
  [Role.VIEWER, 'viewer'],
  [Role.OPERATOR, 'operator'],
  [Role.ADMIN, 'admin'],
])
const roles = new Map([...roleNames].map(([role, name]) => [name, role]))

const createOperator = write(
  IdentityService.method.createOperator,
  (message, { caller, clock, origin, services, signInTenants }) => {
    const fields = new Fields()
    const role = roleNames.get(message.role)
    if (role === undefined) fields.wrong('role', 'must be one of VIEWER, OPERATOR, ADMIN')
    const code = message.upstreamSubject === '' ? makeCode() : undefined
    const args = {
      id: uuidv7(clock.now()),
      name: fields.required('name', message.name, 63),
      role: role ?? 'viewer',
      upstreamSubject: fields.text('upstreamSubject', message.upstreamSubject, 255) || null,
      codeDigest: code === undefined ? null : sha256Hex(code.reveal()),
      codeMinutes,
      createdAtMs: clock.now(),
    }
    if (!agentNamePattern.test(args.name))
      fields.wrong('name', 'must be lower-case letters, digits, dots, dashes and underscores')
    // One subject is one operator of all tenants: who names it first has it.
    if (args.upstreamSubject !== null && !signsInAtIssuer(caller.tenant.name, signInTenants))
      fields.wrong('upstreamSubject', 'is not for this tenant: authority.signInTenants names those that it is for')
    const refusal = fields.refusal ?? appointRefusal(args.role, caller, services)
    if (refusal !== undefined) return refusal
    return effect({
      operation: 'operator.create',
      key: args.name,
      args,
      changesCredentials: true,
      answer: (row) => {
        if (row?.verdict !== 'done') return refuse('object.exists', `operator ${args.name}, or its subject, exists`)
        const operator = operatorMessage({ ...args, passwordSetAtMs: null, disabledAtMs: null })
        const signInUrl = code === undefined ? '' : `${origin?.() ?? ''}/set-password?code=${code.reveal()}`
        // The link leaves here and nowhere else: what is stored for a replay does not hold it.
        return {
          reply: create(CreateOperatorResponseSchema, { operator, signInUrl }),
          stored: create(CreateOperatorResponseSchema, { operator }),
        }
      },
    })
  },
  ({ name, role }) => ({ name, role: roleNames.get(role) ?? '' }),
)

function signsInAtIssuer(tenant: string, named: readonly string[] = []): boolean {
  return named.length === 0 ? tenant === 'main' : named.includes(tenant)
}

/** People are appointed by people, who can give no role with scopes that they lack, and no power to give what they cannot. */
function appointRefusal(
  role: OperatorRole,
  caller: HandlerContext['caller'],
  services: HandlerContext['services'],
): Refusal | undefined {
  if (caller.kind !== 'operator')
    return refuse('identity.scope_exceeds', 'an operator is made by an operator', {
      detail: 'only operators make operators',
    })
  const brings = roleScopes[role].includes('identity:write') ? [...roleScopes[role], ...services] : roleScopes[role]
  const grantable = grantableBy(caller, services)
  const missing = brings.find((scope) => !grantable.has(scope))
  return missing === undefined
    ? undefined
    : refuse('identity.scope_exceeds', `caller lacks ${missing}`, { detail: missing })
}

const listOperators = read(
  IdentityService.method.listOperators,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.name === '' ? {} : { name: fields.text('name', message.name, 63) }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'operators',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.operators(scope, filter, page),
      operatorMessage,
    )
    if (isRefusal(list)) return list
    return create(ListOperatorsResponseSchema, { operators: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, name }) => ({ name, pageSize }),
)

const disableOperator = write(
  IdentityService.method.disableOperator,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const id = fields.id('operatorId', message.operatorId, 'opr')
    if (fields.refusal !== undefined) return fields.refusal
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'an operator is disabled by an operator', {
        detail: 'only operators disable operators',
      })
    if (caller.id === message.operatorId)
      return refuse('object.state', 'an operator does not disable itself', {
        detail: 'nobody disables themselves: ask another admin',
      })
    return effect({
      operation: 'operator.disable',
      key: id,
      args: { id, platformToo: isPlatform(caller), atMs: clock.now() },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such operator')
          : { reply: create(DisableOperatorResponseSchema, { operator: operatorMessage(row) }) },
    })
  },
  ({ operatorId }) => ({ operatorId }),
)

function operatorMessage(row: OperatorRow): Operator {
  return create(OperatorSchema, {
    id: publicId('opr', row.id),
    name: maskText(row.name),
    role: roles.get(row.role) ?? Role.UNSPECIFIED,
    upstreamSubject: maskText(row.upstreamSubject ?? ''),
    hasPassword: row.passwordSetAtMs !== null,
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.disabledAtMs === null ? {} : { disabledAt: timestampFromMs(row.disabledAtMs) }),
  })
}

export const operatorHandlers = [createOperator, listOperators, disableOperator]
