import { create } from '@bufbuild/protobuf'
import {
  BindCertificateRequestSchema,
  CreateAppRequestSchema,
  CreateKeyRequestSchema,
  CreateOperatorRequestSchema,
  IdentityService,
  OperatorRole,
  RotateAppSecretRequestSchema,
  RotateKeyRequestSchema,
} from '@portcullis/contract'
import { describe, expect, it } from 'vitest'
import { closeScopes, commandLineId, isRefusal, platformAdminScopes, publicId, tenantAdminScopes, uuidv7 } from '#core'
import { makeSelfSigned } from '../../../test/harness/certificates.ts'
import type { HandlerContext } from '../handler.ts'
import { handlers } from '../handlers.ts'
import type { Effect } from '../ports.ts'

const tickets = 'tickets:write'
const agentId = publicId('agt', uuidv7())
const keyId = publicId('key', uuidv7())
const appId = publicId('app', uuidv7())
const messages = {
  CreateKey: create(CreateKeyRequestSchema, { agentId, scopes: [tickets] }),
  CreateApp: create(CreateAppRequestSchema, { name: 'made', scopes: [tickets] }),
  BindCertificate: create(BindCertificateRequestSchema, {
    agentId,
    certificatePem: makeSelfSigned('a').cert,
    scopes: [tickets],
  }),
  // An admin gives what services there are.
  CreateOperator: create(CreateOperatorRequestSchema, { name: 'made', role: OperatorRole.ADMIN }),
  RotateKey: create(RotateKeyRequestSchema, { keyId }),
  RotateAppSecret: create(RotateAppSecretRequestSchema, { appId }),
}

interface By {
  readonly clientId?: string | undefined
  readonly scopes?: readonly string[]
  readonly tenant?: string
  readonly signInTenants?: readonly string[]
}

function act(name: keyof typeof messages, by: By, message: object = {}): Effect | string {
  const { clientId, scopes = tenantAdminScopes, tenant = 'main', signInTenants } = by
  const handler = handlers.get(`/${IdentityService.typeName}/${name}`) ?? expect.fail(`no ${name}`)
  const done = handler.act({ ...messages[name], ...message }, {
    caller: {
      kind: 'operator',
      id: publicId('opr', uuidv7()),
      tenant: { id: 'ten_1', name: tenant },
      scopes: closeScopes(new Set(scopes)),
      credential: { kind: 'access_token', id: 'tok_1' },
      clientId,
    },
    clock: { now: () => Date.now(), monotonic: () => 0 },
    services: new Set([tickets]),
    signInTenants,
  } as unknown as HandlerContext)
  return 'code' in done && isRefusal(done) ? done.code : (done as Effect)
}

const codeOf = (...of: Parameters<typeof act>): string => {
  const done = act(...of)
  return typeof done === 'string' ? done : 'done'
}

describe('what an app gives that a person has allowed', () => {
  it.each(['CreateKey', 'CreateApp', 'BindCertificate', 'CreateOperator'] as const)(
    'A5: by %s no action of a service that it was not allowed itself',
    (name) => {
      expect(codeOf(name, { clientId: 'app_1' })).toBe('identity.scope_exceeds')
      expect(codeOf(name, { clientId: 'app_1', scopes: [...platformAdminScopes, tickets] })).toBe('done')
      expect(codeOf(name, { clientId: commandLineId })).toBe('done')
      expect(codeOf(name, {})).toBe('done')
    },
  )

  it.each(['RotateKey', 'RotateAppSecret'] as const)('A5: nor by %s', (name) => {
    const grantable = (by: By): readonly string[] => (act(name, by) as Effect<'key.rotate'>).args.grantable
    expect(grantable({ clientId: 'app_1' })).not.toContain(tickets)
    for (const clientId of [undefined, commandLineId]) expect(grantable({ clientId })).toContain(tickets)
  })

  it('A5: it does not get the key of that person', () => {
    const owner = (clientId?: string): unknown =>
      (act('RotateKey', { clientId }) as Effect<'key.rotate'>).args.operatorId
    expect(owner('app_1')).toBeNull()
    for (const clientId of [undefined, commandLineId]) expect(owner(clientId)).toEqual(expect.any(String))
  })
})

describe('who somebody is at another issuer', () => {
  it.each([
    ['main', undefined, 'done'],
    ['main', [], 'done'],
    ['acme', [], 'input.invalid'],
    ['acme', ['acme', 'main'], 'done'],
    ['main', ['acme'], 'input.invalid'],
  ])('A9: said in %s where the settings name %j: %s', (tenant, signInTenants, code) => {
    const by = { tenant, ...(signInTenants === undefined ? {} : { signInTenants }) }
    expect(codeOf('CreateOperator', by, { upstreamSubject: 'sub-1' })).toBe(code)
    expect(codeOf('CreateOperator', by)).toBe('done')
  })
})
