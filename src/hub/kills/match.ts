import { KillScopeKind, type Method } from '@portcullis/contract'
import type { Caller } from '#core'
import type { Uses } from '../ports.ts'

/** A kill that has not been released. Ids are bare UUIDs. */
export interface KillInForce {
  readonly id: string
  /** Null for everything. */
  readonly tenantId: string | null
  /** The number of KillScopeKind. */
  readonly scope: number
  readonly subject: string
  readonly reason: string
  readonly actor: string
  /** Nobody but who runs the platform releases it. */
  readonly byPlatform: boolean
  readonly engagedAtMs: number
  readonly expiresAtMs: number | null
}

type Subject = Pick<KillInForce, 'scope' | 'tenantId' | 'subject'>
type MethodFacts = Pick<Method, 'path' | 'access' | 'whileKilled'>

const bareOf = (id: string): string => id.slice(id.indexOf('_') + 1)

/**
 * The kills in force, found by what they stop (SPEC K1). Pure. Whether a call is stopped takes a few look-ups, however many there are,
 * and none while there are none.
 */
export class KillIndex {
  readonly #bySubject = new Map<string, KillInForce[]>()

  constructor(kills: Iterable<KillInForce>) {
    for (const kill of kills) {
      const key = keyOf(kill)
      const known = this.#bySubject.get(key)
      if (known === undefined) this.#bySubject.set(key, [kill])
      else known.push(kill)
    }
  }

  get size(): number {
    return this.#bySubject.size
  }

  /** What stops this call of this caller. */
  stops(method: MethodFacts, caller: Caller, nowMs: number): KillInForce | undefined {
    if (this.#bySubject.size === 0 || method.whileKilled) return undefined
    const own = this.#first(ownSubjects(caller), nowMs)
    if (own !== undefined) return own
    return mayLook(method, caller) ? undefined : this.#first(commonSubjects(caller), nowMs)
  }

  /** What stops this caller, whatever it asks for. */
  stopsCaller(caller: Caller, nowMs: number): KillInForce | undefined {
    if (this.#bySubject.size === 0) return undefined
    return this.#first([...ownSubjects(caller), ...commonSubjects(caller)], nowMs)
  }

  /** What stops the use of a model, a tool or a kind of job. */
  stopsUse({ models, tool, jobKind }: Uses, caller: Caller, nowMs: number): KillInForce | undefined {
    if (this.#bySubject.size === 0) return undefined
    const tenantId = bareOf(caller.tenant.id)
    const subjects: Subject[] = (models ?? []).map((subject) => ({ scope: KillScopeKind.MODEL, tenantId, subject }))
    if (tool !== undefined) subjects.push({ scope: KillScopeKind.TOOL, tenantId, subject: tool })
    if (jobKind !== undefined) subjects.push({ scope: KillScopeKind.JOB_KIND, tenantId, subject: jobKind })
    return this.#first(subjects, nowMs)
  }

  #first(subjects: readonly Subject[], nowMs: number): KillInForce | undefined {
    for (const subject of subjects) {
      const found = this.#bySubject.get(keyOf(subject))?.find((kill) => isInForce(kill, nowMs))
      if (found !== undefined) return found
    }
    return undefined
  }
}

export function isInForce({ expiresAtMs }: Pick<KillInForce, 'expiresAtMs'>, nowMs: number): boolean {
  return expiresAtMs === null || expiresAtMs > nowMs
}

/** Whether who watches is to hear of this kill: an agent hears of what may stop itself, an operator of all of its tenant. */
export function concerns(kill: Subject, caller: Caller, ownOnly: boolean, platform: boolean): boolean {
  if (kill.scope === KillScopeKind.EVERYTHING || platform) return true
  if (kill.tenantId !== bareOf(caller.tenant.id)) return false
  if (!ownOnly) return true
  if (kill.scope === KillScopeKind.AGENT || kill.scope === KillScopeKind.KEY)
    return ownSubjects(caller).some((own) => own.scope === kill.scope && own.subject === kill.subject)
  return true
}

/** Bare ids of an agent and of a key, where the caller is or has them: nobody releases what stops itself. */
export function ownIds(caller: Caller): readonly string[] {
  return ownSubjects(caller).map(({ subject }) => subject)
}

/** An operator whose tenant is stopped looks, so that it can release; its questions for others are not answered. */
function mayLook({ access, path }: MethodFacts, { kind }: Caller): boolean {
  return kind === 'operator' && access === 'private_read' && !path.includes('.AuthorizationService/')
}

function ownSubjects({ kind, id, tenant, credential }: Caller): readonly Subject[] {
  const tenantId = bareOf(tenant.id)
  const key = credential.kind === 'api_key' || credential.kind === 'signed_api_key'
  return [
    ...(kind === 'agent' ? [{ scope: KillScopeKind.AGENT, tenantId, subject: bareOf(id) }] : []),
    ...(key ? [{ scope: KillScopeKind.KEY, tenantId, subject: bareOf(credential.id) }] : []),
  ]
}

function commonSubjects({ tenant }: Caller): readonly Subject[] {
  const tenantId = bareOf(tenant.id)
  return [
    { scope: KillScopeKind.EVERYTHING, tenantId: null, subject: '' },
    { scope: KillScopeKind.TENANT, tenantId, subject: tenantId },
  ]
}

function keyOf({ scope, tenantId, subject }: Subject): string {
  return `${scope} ${tenantId ?? ''} ${subject}`
}
