import type { Logger } from 'pino'
import type { Config } from '#config'
import type { Clock } from '#core'
import type { BypassPort, GatePorts } from '#gate'
import type { TenantDirectory } from './callers/bound-caller.ts'
import { AnonymousFallback, BypassNetworks } from './callers/bypass.ts'
import { ServiceGuards } from './callers/service-guards.ts'
import { tokenCalls } from './callers/token-calls.ts'

interface CallersParts {
  readonly config: Config
  readonly tenants: TenantDirectory
  readonly clock: Clock
  readonly log: Logger
  readonly count: (service: string, caller: string, result: string) => void
  /** Told when something changed that no edit of the settings says. */
  readonly changed: (parts: readonly string[]) => void
}

export interface ComposedCallers {
  readonly ports: Pick<GatePorts, 'guards' | 'anonymous'> & { readonly bypass: BypassPort }
  /** Takes over changed settings. */
  configure(change: Partial<Config>): void
  close(): void
}

/** Callers that have no credential of their own, or need a token beside it, as the settings want them (SPEC G9, G12, G13). */
export function composeCallers({ config, tenants, clock, log, count, changed }: CallersParts): ComposedCallers {
  const { authority, serviceTokens } = config
  const bypass = new BypassNetworks(authority, tenants)
  const anonymous = new AnonymousFallback(authority, tenants)
  const guards = new ServiceGuards(serviceTokens, {
    tenants,
    log,
    saw: tokenCalls({ count, clock, log }),
    changed: () => changed(['serviceTokens']),
  })
  tellOpen(authority, log)
  return {
    ports: { guards, bypass, anonymous },
    configure: (change) => {
      if (change.serviceTokens !== undefined) guards.configure(change.serviceTokens)
      if (change.authority === undefined) return
      bypass.configure(change.authority)
      anonymous.configure(change.authority)
      tellOpen(change.authority, log)
    },
    close: () => guards.close(),
  }
}

/** Says each time who is let in without a credential, why and until when. */
function tellOpen({ bypassNetworks, allowAnonymousFallback, anonymous }: Config['authority'], log: Logger): void {
  for (const network of bypassNetworks)
    log.warn({ event: 'bypass.open', ...network }, 'callers of this network are let in without a credential')
  if (!allowAnonymousFallback || anonymous === undefined) return
  log.warn({ event: 'anonymous_fallback.open', ...anonymous }, 'callers without a credential are let in')
}
