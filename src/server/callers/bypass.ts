import type { Config } from '#config'
import { cidrContains, parseCidr, type Cidr } from '#core'
import type { AnonymousPort, BypassNetwork, BypassPort } from '#gate'
import { boundCaller, type TenantDirectory } from './bound-caller.ts'

type Authority = Pick<Config['authority'], 'bypassNetworks' | 'allowAnonymousFallback' | 'anonymous'>

interface Network extends BypassNetwork {
  readonly members: Cidr
  readonly endsAtMs: number
}

const dayMs = 86_400_000
const addressesMax = 10_000

/** The networks whose callers may come without a credential (SPEC G12); changes while the server runs. */
export class BypassNetworks implements BypassPort {
  readonly #tenants: TenantDirectory
  #networks: readonly Network[] = []
  /** The networks of addresses seen lately, the narrowest first. */
  readonly #seen = new Map<string, readonly Network[]>()

  constructor(settings: Authority, tenants: TenantDirectory) {
    this.#tenants = tenants
    this.configure(settings)
  }

  configure({ bypassNetworks }: Authority): void {
    this.#seen.clear()
    this.#networks = bypassNetworks
      .map(({ cidr, expires, tenant, scopes }) => ({
        cidr,
        members: parseCidr(cidr),
        endsAtMs: endOf(expires),
        caller: boundCaller({ id: 'bypass', credential: { kind: 'bypass', id: cidr }, tenant, scopes }, this.#tenants),
      }))
      .toSorted((a, b) => b.members.prefixBits - a.members.prefixBits)
  }

  match(remote: string, nowMs: number): BypassNetwork | undefined {
    if (this.#networks.length === 0) return undefined
    return this.#of(remote).find(({ endsAtMs }) => nowMs < endsAtMs)
  }

  #of(remote: string): readonly Network[] {
    const known = this.#seen.get(remote)
    if (known !== undefined) return known
    const found = this.#networks.filter(({ members }) => cidrContains(members, remote))
    if (this.#seen.size >= addressesMax) this.#seen.clear()
    this.#seen.set(remote, found)
    return found
  }
}

/** Callers without a credential, while the settings let them in (SPEC G13); changes while the server runs. */
export class AnonymousFallback implements AnonymousPort {
  readonly #tenants: TenantDirectory
  #endsAtMs = 0
  #caller: AnonymousPort['caller'] = () => undefined

  constructor(settings: Authority, tenants: TenantDirectory) {
    this.#tenants = tenants
    this.configure(settings)
  }

  configure({ allowAnonymousFallback, anonymous }: Authority): void {
    this.#endsAtMs = 0
    if (!allowAnonymousFallback || anonymous === undefined) return
    const { expires, tenant, scopes } = anonymous
    const credential = { kind: 'anonymous', id: 'anonymous' } as const
    this.#caller = boundCaller({ id: 'anonymous', credential, tenant, scopes }, this.#tenants)
    this.#endsAtMs = expires === undefined ? Number.POSITIVE_INFINITY : endOf(expires)
  }

  open(nowMs: number): boolean {
    return nowMs < this.#endsAtMs
  }

  caller(): ReturnType<AnonymousPort['caller']> {
    return this.#caller()
  }
}

/** The end of a day in UTC: it is the last one on which something holds. */
function endOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) + dayMs
}
