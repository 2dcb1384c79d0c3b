import { describe, expect, it } from 'vitest'
import type { AppRecord, OperatorRecord } from '#authority'
import { isRefusal, platformAdminScopes, tenantAdminScopes, type VerifiedToken } from '#core'
import { TokenCallers } from './token-callers.ts'

const tenant = { id: 'ten_1', name: 'main' }
const app: AppRecord = {
  id: 'app_1',
  name: 'billing',
  tenant,
  agent: undefined,
  scopes: new Set(['admin:read', 'tasks:write']),
  redirectUris: [],
  grantTypes: ['client_credentials'],
  authMethod: 'client_secret_basic',
  jwksJson: undefined,
  tlsSubjectDn: undefined,
  dpopBound: false,
  certificateBound: false,
  secrets: [],
  disabled: false,
  tenantDisabled: false,
}
const person: OperatorRecord = {
  id: 'opr_1',
  name: 'Ada',
  tenant,
  scopes: new Set(['tasks:read', 'ledger:read']),
  disabled: false,
  tenantDisabled: false,
}

interface World {
  app?: Partial<AppRecord> | undefined
  person?: Partial<OperatorRecord> | undefined
  denied?: readonly string[]
  required?: readonly string[]
  tenants?: readonly string[]
}

function callers({
  app: changedApp,
  person: changedPerson,
  denied = [],
  required = [],
  tenants = ['main'],
}: World = {}) {
  const [theApp, thePerson] = [
    { ...app, ...changedApp },
    { ...person, ...changedPerson },
  ]
  return new TokenCallers(
    {
      apps: { find: (id) => (id === app.id ? theApp : undefined) },
      operators: { find: (id) => (id === person.id ? thePerson : undefined) },
      denials: { denied: (id, grant) => denied.includes(id) || denied.includes(grant ?? '-') },
      tenants: { tenant: (name) => (tenants.includes(name) ? tenant : undefined) },
      services: new Set(['tickets:read']),
    },
    { tenant: 'main', requiredScopes: required },
  )
}

const token = (changes: Partial<VerifiedToken> = {}): VerifiedToken => ({
  issuer: 'own',
  id: 'jti-1',
  subject: app.id,
  clientId: app.id,
  scopes: new Set(['admin:read', 'ledger:read']),
  expiresAtMs: 1,
  issuedAtMs: 0,
  grantId: 'grant-1',
  ...changes,
})

function said(world: World, changes: Partial<VerifiedToken> = {}): string {
  const holder = callers(world).callerOf(token(changes))
  if (isRefusal(holder)) return `nobody: ${holder.reason}`
  const { caller, refusal, lacking } = holder
  return `${caller.kind} ${caller.id} by ${caller.clientId}: ${(refusal ?? lacking)?.reason ?? [...caller.scopes].toSorted().join(' ')}`
}

const ofPerson = { subject: person.id, scopes: new Set(['admin:read', 'tasks:write']) }

describe('who a token stands for', () => {
  it('G3: by client credentials the app, or its agent, with what both token and app may', () => {
    expect(said({})).toBe('service app_1 by app_1: admin:read tasks:read telemetry:read')
    expect(said({ app: { agent: { id: 'agt_1', disabled: false } } })).toBe(
      'agent agt_1 by app_1: admin:read tasks:read telemetry:read',
    )
    expect(said({ app: { scopes: new Set(['tasks:read']) } })).toBe('service app_1 by app_1: tasks:read')
  })

  it('G3: otherwise a person, through an app, with what token, app and role may', () => {
    expect(said({}, ofPerson)).toBe('operator opr_1 by app_1: tasks:read')
    expect(said({ person: { scopes: new Set(['tasks:write', 'admin:read']) } }, ofPerson)).toBe(
      'operator opr_1 by app_1: admin:read tasks:read tasks:write telemetry:read',
    )
  })

  it('A10: nobody, where app or person are not there', () => {
    expect(said({}, { clientId: 'app_2', subject: 'app_2' })).toBe('nobody: token of an app that is not there')
    expect(said({}, { clientId: undefined })).toBe('nobody: token of an app that is not there')
    expect(said({}, { subject: 'opr_2' })).toBe('nobody: token of somebody who is not there')
    expect(said({}, { subject: 'app_2' })).toBe('nobody: token of somebody who is not there')
  })

  it.each<readonly [string, World, Partial<VerifiedToken>]>([
    ['app app_1 disabled', { app: { disabled: true } }, {}],
    ['tenant ten_1 disabled', { app: { tenantDisabled: true } }, {}],
    ['agent agt_1 disabled', { app: { agent: { id: 'agt_1', disabled: true } } }, {}],
    ['app app_1 disabled', { app: { disabled: true } }, ofPerson],
    ['operator opr_1 disabled', { person: { disabled: true } }, ofPerson],
    ['no tokens of its own', { app: { grantTypes: ['authorization_code'] } }, {}],
    ['tenant ten_1 disabled', { person: { tenantDisabled: true } }, ofPerson],
    ['another tenant than opr_1', { person: { tenant: { id: 'ten_2', name: 'other' } } }, ofPerson],
    ['token revoked', { denied: ['jti-1'] }, {}],
    ['token revoked', { denied: ['grant-1'] }, ofPerson],
    ['token revoked', { denied: ['jti-1'] }, { issuer: 'upstream', subject: 'svc' }],
  ])('A10: refused with the name of the caller: %s', (why, world, changes) => {
    const text = said(world, changes)
    expect(text).toContain(why)
    expect(text).not.toContain('nobody')
  })
})

describe('a token of another issuer', () => {
  const foreign = (scopes: readonly string[]): Partial<VerifiedToken> => ({
    issuer: 'upstream',
    subject: 'svc-1',
    clientId: 'azp-1',
    scopes: new Set(scopes),
  })

  it('A3: is a service of the tenant of the settings, with scopes that are known', () => {
    expect(said({}, foreign(['tasks:read', 'tickets:read', 'unknown:all', 'openid']))).toBe(
      'service svc-1 by azp-1: tasks:read tickets:read',
    )
    expect(said({ tenants: [] }, foreign([]))).toMatch(/^nobody: .*tenant of its issuer/)
  })

  it('A3: must have the scopes that every token of its issuer must have', () => {
    const required = ['jobs:read', 'tickets:read', 'tasks:read']
    expect(said({ required }, foreign(['tickets:read']))).toBe(
      'service svc-1 by azp-1: token without jobs:read tasks:read',
    )
    expect(said({ required }, foreign([...required, 'a:b']))).toContain('tasks:read')
  })

  it('A3: is never the platform, whatever it says', () => {
    const holder = callers().callerOf(token(foreign(platformAdminScopes)))
    if (isRefusal(holder)) expect.fail(holder.reason)
    expect(holder.caller.kind).toBe('service')
    expect([...holder.caller.scopes].toSorted()).toEqual([...tenantAdminScopes].toSorted())
    expect(holder.caller.scopes.has('tenants:write')).toBe(false)
  })
})

it('A10: what changed counts at the next call', () => {
  const all = callers()
  const one = token()
  const before = all.callerOf(one)
  expect(!isRefusal(before) && [...before.caller.scopes]).toContain('admin:read')
  const again = all.callerOf(one)
  expect(!isRefusal(again) && !isRefusal(before) && again.caller.scopes === before.caller.scopes).toBe(true)
  all.configure({ tenant: 'main', requiredScopes: ['x:y'] })
  const foreign = all.callerOf(token({ issuer: 'upstream', subject: 'svc' }))
  expect(!isRefusal(foreign) && foreign.lacking?.detail).toBe('x:y')
})

it('A9: the command line acts for people of every tenant, and for nobody else', () => {
  const commandLine = { ...app, id: 'portcullis-cli', grantTypes: ['authorization_code'] as const }
  const elsewhere = { ...person, tenant: { id: 'ten_2', name: 'other' } }
  const tokens = new TokenCallers(
    {
      apps: { find: () => commandLine },
      operators: { find: (id) => (id === person.id ? elsewhere : undefined) },
      denials: { denied: () => false },
      tenants: { tenant: () => undefined },
      services: new Set(),
    },
    { requiredScopes: [] },
  )
  const signedIn = tokens.callerOf(token({ ...ofPerson, clientId: commandLine.id }))
  expect(!isRefusal(signedIn) && [signedIn.caller.tenant.id, signedIn.refusal]).toEqual(['ten_2', undefined])
  const alone = tokens.callerOf(token({ subject: commandLine.id, clientId: commandLine.id }))
  expect(!isRefusal(alone) && alone.refusal?.reason).toMatch(/no tokens of its own/)
})
