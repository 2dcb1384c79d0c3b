import type { AppDirectory, AppRecord, DenialDirectory, OperatorDirectory, OperatorRecord } from '#authority'
import {
  closeScopes,
  refuse,
  tenantAdminScopes,
  type Caller,
  type Refusal,
  type ServiceActions,
  type VerifiedToken,
} from '#core'
import type { TokenHolder, TokenPort } from '#gate'
import type { TenantDirectory } from '../callers/bound-caller.ts'

export interface TokenCallersParts {
  readonly apps: AppDirectory
  readonly operators: OperatorDirectory
  readonly denials: DenialDirectory
  readonly tenants: TenantDirectory
  readonly services: ServiceActions
}

export interface UpstreamCallers {
  /** Name or id. */
  readonly tenant?: string | undefined
  readonly requiredScopes: readonly string[]
}

type Credential = Caller['credential']

// The power over tenants is that of the platform: no other issuer gives it to anybody, whatever it signs.
const foreignScopes: ReadonlySet<string> = new Set(tenantAdminScopes)

/** Who tokens stand for now: what is in memory decides at every call, so that a revocation needs no wait (SPEC A3, A10). */
export class TokenCallers implements TokenPort {
  readonly #parts: TokenCallersParts
  #upstream: UpstreamCallers
  /** What may be done with a token, for as long as the records behind it are the same objects. */
  readonly #scopes = new WeakMap<
    VerifiedToken,
    { readonly of: readonly unknown[]; readonly held: ReadonlySet<string> }
  >()

  constructor(parts: TokenCallersParts, upstream: UpstreamCallers) {
    this.#parts = parts
    this.#upstream = upstream
  }

  configure(upstream: UpstreamCallers): void {
    this.#upstream = upstream
  }

  callerOf(token: VerifiedToken): TokenHolder | Refusal {
    const holder = token.issuer === 'own' ? this.#own(token) : this.#foreign(token)
    if ('refused' in holder || holder.refusal !== undefined) return holder
    const denied = this.#parts.denials.denied(token.id, token.grantId)
    return denied ? { ...holder, refusal: invalid('token revoked') } : holder
  }

  /** `client_id` names the app; `sub` is the app again (client credentials), or a person who let it act. */
  #own(token: VerifiedToken): TokenHolder | Refusal {
    const { subject, clientId = '' } = token
    const app = this.#parts.apps.find(clientId)
    if (app === undefined) return invalid('token of an app that is not there')
    if (subject === app.id) return this.#ofApp(token, app)
    const person = this.#parts.operators.find(subject)
    return person === undefined ? invalid('token of somebody who is not there') : this.#ofPerson(token, app, person)
  }

  #ofApp(token: VerifiedToken, app: AppRecord): TokenHolder {
    const { agent, tenant, id } = app
    const scopes = this.#held(token, [app.scopes])
    const who = agent === undefined ? ({ kind: 'service', id } as const) : ({ kind: 'agent', id: agent.id } as const)
    const caller = { ...who, tenant, scopes, credential: credentialOf(token), clientId: id }
    const alone = app.grantTypes.includes('client_credentials')
    const refusal =
      (agent?.disabled === true ? invalid(`agent ${agent.id} disabled`) : appProblem(app)) ??
      (alone ? undefined : invalid(`app ${id} gets no tokens of its own`))
    return { caller, refusal }
  }

  #ofPerson(token: VerifiedToken, app: AppRecord, person: OperatorRecord): TokenHolder {
    const { id, tenant } = person
    const scopes = this.#held(token, [app.scopes, person.scopes])
    const caller: Caller = { kind: 'operator', id, tenant, scopes, credential: credentialOf(token), clientId: app.id }
    return { caller, refusal: personProblem(person) ?? appProblem(app) ?? foreignApp(app, person) }
  }

  /** A token of another issuer: a service of the one tenant that the settings name, and never anything more. */
  #foreign(token: VerifiedToken): TokenHolder | Refusal {
    const { tenant: name, requiredScopes } = this.#upstream
    const tenant = name === undefined ? undefined : this.#parts.tenants.tenant(name)
    if (tenant === undefined) return invalid('token right, but the tenant of its issuer does not exist or is disabled')
    const { services } = this.#parts
    const known = (scope: string): boolean => foreignScopes.has(scope) || services.has(scope)
    const scopes = this.#held(token, [], known)
    const missing = requiredScopes.filter((scope) => !token.scopes.has(scope))
    return {
      caller: {
        kind: 'service',
        id: token.subject,
        tenant,
        scopes,
        credential: credentialOf(token),
        clientId: token.clientId,
      },
      lacking:
        missing.length === 0
          ? undefined
          : refuse('auth.scope_missing', `token without ${missing.join(' ')}`, { detail: missing.join(' ') }),
    }
  }

  /** The scopes of the token that every ceiling has, too. */
  #held(
    token: VerifiedToken,
    ceilings: readonly ReadonlySet<string>[],
    known: (scope: string) => boolean = () => true,
  ): ReadonlySet<string> {
    const found = this.#scopes.get(token)
    if (found?.of.length === ceilings.length && found.of.every((each, at) => each === ceilings[at])) return found.held
    const closed = ceilings.map(closeScopes)
    const held = new Set(
      [...closeScopes(token.scopes)].filter((scope) => known(scope) && closed.every((each) => each.has(scope))),
    )
    this.#scopes.set(token, { of: ceilings, held })
    return held
  }
}

function invalid(reason: string): Refusal {
  return refuse('auth.credential_invalid', reason)
}

/** The gate says which kind it was, once it has seen what the token is bound to. */
function credentialOf({ id }: VerifiedToken): Credential {
  return { kind: 'access_token', id }
}

function appProblem({ id, disabled, tenant, tenantDisabled }: AppRecord): Refusal | undefined {
  if (disabled) return invalid(`app ${id} disabled`)
  return tenantDisabled ? invalid(`tenant ${tenant.id} disabled`) : undefined
}

function personProblem({ id, disabled, tenant, tenantDisabled }: OperatorRecord): Refusal | undefined {
  if (disabled) return invalid(`operator ${id} disabled`)
  return tenantDisabled ? invalid(`tenant ${tenant.id} disabled`) : undefined
}

/** An app acts for people of its own tenant; the command line, which is nobody's app, for everybody. */
function foreignApp(app: AppRecord, person: OperatorRecord): Refusal | undefined {
  const fits = app.tenant.id === person.tenant.id || !app.id.startsWith('app_')
  return fits ? undefined : invalid(`app ${app.id} is of another tenant than ${person.id}`)
}
