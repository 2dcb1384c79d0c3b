import { refuse, type Clock, type Refusal } from '#core'
import { bare, effect, type RecordedOutcome, type WriterPort } from '#hub'
import type { LedgerRecord } from '#ledger'
import type { Committed, CommitPort, OAuthEvent, OperatorDirectory, Origin, Writes } from '#authority'
import type { BestEffort } from '../best-effort.ts'
import type { Floods } from '../floods.ts'
import { codeOf, oauthRecord, type Whose } from './record.ts'

interface CommitsParts {
  readonly late: () => {
    readonly writer: WriterPort
    readonly floods: Pick<Floods, 'anonymous' | 'ownDenial'>
    readonly bestEffort: Pick<BestEffort, 'offer' | 'offerOrCount'>
    /** What is in memory of denied tokens is read again. */
    readonly refresh: () => Promise<void>
  }
  readonly operators: OperatorDirectory
  readonly clock: Clock
  /** The refusal where the store is short of space (SPEC O14): what only reads, or takes power away, is let through for longest. */
  readonly full: (last: boolean) => Refusal | undefined
  /** Writes that are not recorded. */
  readonly keep: (writes: Writes) => Promise<string>
  /** What a request came to, and the error code where it was refused. */
  readonly counted: (kind: string, error: string) => void
  /** A credential was wrong: charged to the address. */
  readonly failed: (remote: string) => void
  readonly fault: (error: unknown, requestId: string) => void
}

/** What takes power away. */
const ending = new Set<OAuthEvent['kind']>(['token.revoked', 'session.ended', 'refresh_replay', 'code_replay'])
const wrongCredentials = new Set(['invalid_client', 'invalid_grant', 'invalid_dpop_proof'])

/** Commits what a request to the authorization server wrote, with its ledger entry, through the group-commit writer (SPEC A6). */
export class OAuthCommits implements CommitPort {
  readonly #parts: CommitsParts

  constructor(parts: CommitsParts) {
    this.#parts = parts
  }

  async commit(origin: Origin, event: OAuthEvent, writes: Writes | undefined, lost: OAuthEvent): Promise<Committed> {
    const { fault, late } = this.#parts
    const full = this.#parts.full(ending.has(event.kind))
    if (full !== undefined) return this.#refuseFull(origin, event, full)
    let verdict: Committed = 'done'
    const work =
      writes &&
      effect({
        operation: 'oauth.commit',
        key: orderOf(writes),
        args: { writes },
        answer: (row) => {
          verdict = row?.verdict ?? 'unavailable'
          return verdict === 'done' ? {} : refuse('auth.credential_invalid', verdict)
        },
      })
    const record = (outcome: RecordedOutcome): LedgerRecord =>
      this.#record(origin, whatWas(event, lost, outcome, verdict))
    const tenant = this.#whose(event)?.tenant
    const tenantId = tenant && bare(tenant.id)
    try {
      const result = await late().writer.submit({ tenantId, record, ...(work === undefined ? {} : { effect: work }) })
      if (result.refused && verdict === 'done') return notCommitted(result)
    } catch (error) {
      fault(error, origin.requestId)
      return 'unavailable'
    }
    await this.#hold(origin, writes, verdict)
    this.#charge(origin, whatWas(event, lost, verdict === 'done' ? { outcome: 'allow' } : refusedBy(verdict), verdict))
    return verdict
  }

  async keep(writes: Writes, ends: boolean): Promise<Committed> {
    if (this.#parts.full(ends) !== undefined) return 'full'
    try {
      const verdict = await this.#parts.keep(writes)
      return verdict === 'done' || verdict === 'lost' || verdict === 'replayed' ? verdict : 'unavailable'
    } catch (error) {
      this.#parts.fault(error, '')
      return 'unavailable'
    }
  }

  async note(origin: Origin, event: OAuthEvent): Promise<Committed> {
    const { bestEffort, floods, writer } = this.#parts.late()
    const full = event.error === undefined ? this.#parts.full(true) : undefined
    if (full !== undefined) return this.#refuseFull(origin, event, full)
    this.#charge(origin, event)
    try {
      const record = this.#record(origin, event)
      const code = codeOf(event)
      const whose = this.#whose(event)
      if (code === undefined) {
        if (!bestEffort.offer(record)) await writer.submit({ tenantId: record.tenantId, record: () => record })
      } else if (whose === undefined) {
        await floods.anonymous(origin.remote, code, () => record)
      } else if (floods.ownDenial(callerOf(whose), code, event.route, origin.remote)) {
        const written = await writer.submit({ tenantId: record.tenantId, record: () => record })
        if (written.refused) bestEffort.offerOrCount(record)
      }
    } catch (error) {
      // A refusal stays one, whether or not it could be written down.
      this.#parts.fault(error, origin.requestId)
    }
    return 'done'
  }

  /** A few entries for each address, then counts: refusals for want of room must not fill what is left. */
  async #refuseFull(origin: Origin, event: OAuthEvent, { reason }: Refusal): Promise<'full'> {
    const told = { ...event, kind: 'token.refused', error: 'temporarily_unavailable', reason, args: {} } as const
    this.#parts.counted(told.kind, told.error)
    const record = (): LedgerRecord => this.#record(origin, { ...told, app: undefined, subject: undefined })
    await this.#parts
      .late()
      .floods.anonymous(origin.remote, codeOf(told) ?? '', record)
      .catch((error: unknown) => this.#parts.fault(error, origin.requestId))
    return 'full'
  }

  #record(origin: Origin, event: OAuthEvent): LedgerRecord {
    const { clock } = this.#parts
    const times = { nowMs: clock.now(), elapsedMs: clock.monotonic() - origin.arrivedAt }
    return oauthRecord(event, origin, this.#whose(event), times)
  }

  #whose(event: OAuthEvent): Whose | undefined {
    const { app, args, error, subject } = event
    const operator = this.#parts.operators.find(subject ?? '')
    if (operator !== undefined) return { tenant: operator.tenant, caller: { id: operator.id, kind: 'operator' } }
    // Whoever fails to show that it is the app is not the app; and one of ours belongs to no tenant.
    if (app === undefined || error === 'invalid_client' || !app.id.startsWith('app_')) return undefined
    // Anybody can send a browser here in its name, or say to be one that shows nothing; a grant of it is something to show.
    if ((isAuthorization(event) || showedNothing(event)) && args['grantId'] === undefined) return undefined
    const caller =
      app.agent === undefined ? { id: app.id, kind: 'service' as const } : { id: app.agent.id, kind: 'agent' as const }
    return { tenant: app.tenant, caller }
  }

  /** What was committed holds at once on this replica; the others hear of it by notification. */
  async #hold(origin: Origin, writes: Writes | undefined, verdict: Committed): Promise<void> {
    const denials = verdict === 'lost' ? writes?.lost.denials : writes?.denials
    if (denials === undefined || denials.length === 0) return
    await this.#parts
      .late()
      .refresh()
      .catch((error: unknown) => this.#parts.fault(error, origin.requestId))
  }

  #charge({ remote }: Origin, event: OAuthEvent): void {
    const { error, kind } = event
    this.#parts.counted(kind, error ?? '')
    if (error !== undefined && (wrongCredentials.has(error) || showedNothing(event))) this.#parts.failed(remote)
  }
}

function isAuthorization({ route }: OAuthEvent): boolean {
  return route === '/v1/oauth/authorize'
}

/** A program that did not say who it is, or cannot show it. Whoever authorizes is charged to the address at the door. */
function showedNothing(event: OAuthEvent): boolean {
  return !isAuthorization(event) && (event.app === undefined || event.app.authMethod === 'none')
}

function whatWas(event: OAuthEvent, lost: OAuthEvent, outcome: RecordedOutcome, verdict: Committed): OAuthEvent {
  if (outcome.outcome === 'allow') return event
  if (verdict === 'lost') return lost
  if (verdict === 'replayed')
    return {
      ...lost,
      kind: 'token.refused',
      error: 'invalid_request',
      reason: 'a proof or an assertion was used before',
    }
  return { ...lost, kind: 'token.refused', error: 'temporarily_unavailable', reason: outcome.reason }
}

function refusedBy(verdict: Committed): RecordedOutcome {
  return { outcome: 'deny', code: verdict, reason: verdict }
}

function notCommitted({ code }: Refusal): Committed {
  return code === 'store.busy' ? 'busy' : 'unavailable'
}

/** Rows are locked in one order on every replica: by grant, or by what is used. */
function orderOf({ consume, grants, lost, once }: Writes): string {
  return (
    [
      ...grants,
      ...lost.grants,
      ...consume.map(({ digest }) => digest),
      ...once.map(({ digest }) => digest),
    ].toSorted()[0] ?? ''
  )
}

function callerOf({ caller, tenant }: Whose) {
  return { ...caller, tenant, scopes: new Set<string>(), credential: { kind: 'access_token' as const, id: caller.id } }
}
