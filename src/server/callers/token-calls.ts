import type { Logger } from 'pino'
import type { Clock } from '#core'
import { modeOf, type GuardPort } from '#gate'

interface TokenCallsParts {
  readonly count: (service: string, caller: string, result: string) => void
  readonly clock: Clock
  readonly log: Logger
}

interface Warned {
  atMs: number
  unsaid: number
}

const callersMax = 1000
const warnEveryMs = 60_000
// Ids of our own; subjects of another issuer are text from outside, and no label.
const ownId = /^(?:(?:agt|opr|app)_[0-9A-Za-z-]{1,64}|legacy|service|bypass|anonymous)$/
const none = '(none)'
const others = '(others)'

/** Counts what callers of guarded services bring as service token, and warns of those who would be refused under `enforce` (SPEC G9). */
export function tokenCalls({ count, clock, log }: TokenCallsParts): GuardPort['saw'] {
  const callers = new Map<string, Set<string>>()
  const warned = new Map<string, Warned>()

  const label = (service: string, id: string): string => {
    const known = callers.get(service) ?? new Set<string>()
    callers.set(service, known)
    if (known.has(id)) return id
    if (known.size >= callersMax || !ownId.test(id)) return others
    known.add(id)
    return id
  }

  return (guard, caller, result) => {
    const { service } = guard
    count(service, caller === undefined ? none : label(service, caller.id), result)
    if (modeOf(guard) !== 'allow' || result === 'right' || result === 'present') return
    const nowMs = clock.monotonic()
    const last = warned.get(service)
    if (last !== undefined && nowMs - last.atMs < warnEveryMs) {
      last.unsaid += 1
      return
    }
    warned.set(service, { atMs: nowMs, unsaid: 0 })
    log.warn(
      { event: 'service_token.let_in', service, caller: caller?.id ?? none, result, unsaid: last?.unsaid ?? 0 },
      'a call came without the right service token: with enforce it would have been refused',
    )
  }
}
