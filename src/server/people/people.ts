import { randomBytes } from 'node:crypto'
import { passwordProblem, PasswordsBusy, type Passwords } from '#authority'
import { isRefusal, publicId, refuse, sha256Hex, uuidv7, type Clock, type Refusal } from '#core'
import { addressGroup, type GatePorts } from '#gate'
import { bare, effect, type Effect, type WriterPort } from '#hub'
import type { KnownPerson, LiveSession, Sessions } from '#store'
import type { Floods } from '../floods.ts'
import { Attempts, type AttemptCounts } from './attempts.ts'
import { denied, personRecord, type From, type SignInBy } from './entries.ts'

interface PeopleParts {
  readonly writer: WriterPort
  readonly clock: Clock
  readonly floods: Pick<Floods, 'anonymous'>
  readonly gate: Pick<GatePorts, 'failures' | 'addresses'>
  readonly sessions: Pick<Sessions, 'codeUsable' | 'passwordCode' | 'password' | 'upstream' | 'find'> & AttemptCounts
  readonly passwords: Pick<Passwords, 'hash' | 'verify'>
}

/** A new session: its token goes into a cookie and nowhere else. */
export interface SignedIn {
  readonly token: string
}
/** `wrong`: whoever it is, that was not it. `problem`: a sentence for whoever chose a password. */
export type SignInAnswer = SignedIn | { readonly failed: 'wrong' | 'busy' } | { readonly waitSeconds: number }
export type PasswordAnswer = SignInAnswer | { readonly problem: string }

const sessionBytes = 32

/** Signs people in and out (SPEC A8, A9). A session and its entry commit together; what fails is counted with its like. */
export class People {
  readonly #parts: PeopleParts
  readonly #attempts: Attempts

  constructor(parts: PeopleParts) {
    this.#parts = parts
    this.#attempts = new Attempts(parts.clock, parts.gate.failures, parts.sessions)
  }

  /** Takes a token for a page; 0 where it was there, else the seconds to wait. Pages look into the store for whoever asks. */
  waitOf({ remote }: From): number {
    const { clock, gate } = this.#parts
    return Math.ceil(gate.addresses.take(addressGroup(remote), clock.monotonic()) / 1000)
  }

  session(token: string): Promise<LiveSession | undefined> {
    return this.#parts.sessions.find(sha256Hex(token))
  }

  /** Spends a one-time code. One that is not good is charged to the address, and costs no transaction. */
  async signInWithCode(code: string, from: From): Promise<SignInAnswer> {
    const codeDigest = sha256Hex(code)
    const usable = (): Promise<true | undefined> =>
      this.#parts.sessions.codeUsable(codeDigest).then((good) => good || undefined)
    const known = await this.#attempt(undefined, from, '/sign-in', 'sign-in code unknown, used or expired', usable)
    if (typeof known === 'object') return known
    const token = newToken()
    let operatorId: string | undefined
    const work = effect({
      operation: 'session.open',
      key: codeDigest,
      args: { codeDigest, sessionDigest: sha256Hex(token) },
      answer: (row) => {
        if (row === undefined) return refuse('auth.credential_invalid', 'sign-in code was spent meanwhile')
        operatorId = publicId('opr', row.operatorId)
        return {}
      },
    })
    const event = { kind: 'console.signed_in', route: '/sign-in', from, person: undefined } as const
    const result = await this.#parts.writer.submit({
      tenantId: undefined,
      effect: work,
      record: (outcome) => personRecord({ ...event, nowMs: this.#nowMs(), operatorId, args: { by: 'code' } }, outcome),
    })
    return result.refused ? failure(result) : { token }
  }

  /** By name and password: the same answer, after the same work, whatever was wrong. */
  async signIn(tenant: string, name: string, password: string, from: From): Promise<SignInAnswer> {
    const { passwords, sessions } = this.#parts
    const known = await this.#attempt(`${tenant}/${name}`, from, '/sign-in', 'name or password wrong', async () => {
      const stored = await sessions.password(tenant, name)
      return (await passwords.verify(password, stored?.hash)) ? stored : undefined
    })
    if (!('operator' in known)) return known
    return this.#start(known, 'password', known.version, '/sign-in', from)
  }

  /** Whoever the issuer says it is: an operator that was made for that subject, or nobody. `ask` asks the issuer. */
  async signInAs(ask: () => Promise<string | undefined>, from: From): Promise<SignInAnswer> {
    const route = '/sign-in/upstream'
    const why = 'the issuer named nobody, or nobody here is that subject'
    const known = await this.#attempt(undefined, from, route, why, async () => {
      const subject = await ask()
      return subject === undefined ? undefined : this.#parts.sessions.upstream(subject)
    })
    return 'operator' in known ? this.#start(known, 'upstream', null, route, from) : known
  }

  /** Whose password a link sets, as long as it is good. */
  async whoseLink(code: string, from: From): Promise<KnownPerson | undefined> {
    const found = await this.#attempt(undefined, from, '/set-password', 'link unknown, used or expired', () =>
      this.#parts.sessions.passwordCode(sha256Hex(code)),
    )
    return 'operator' in found ? found : undefined
  }

  /** Sets the first password, under a link that is good for that once. */
  async setFirstPassword(code: string, password: string, from: From): Promise<PasswordAnswer> {
    const person = await this.whoseLink(code, from)
    if (person === undefined) return { failed: 'wrong' }
    return this.#setPassword(person, password, { codeDigest: sha256Hex(code), sessionDigest: null }, from)
  }

  /** A new password for whoever is signed in, who shows the one before. All other sessions end. */
  async changePassword(
    token: string,
    session: LiveSession,
    old: string,
    password: string,
    from: From,
  ): Promise<PasswordAnswer> {
    const { passwords, sessions } = this.#parts
    const { tenant, operator } = session
    if (session.hasPassword) {
      const right = await this.#attempt(
        `${tenant.name}/${operator.name}`,
        from,
        '/password',
        'password wrong',
        async () => {
          const stored = await sessions.password(tenant.name, operator.name)
          return (await passwords.verify(old, stored?.hash)) ? stored : undefined
        },
      )
      if (!('operator' in right)) return right
    }
    return this.#setPassword(session, password, { codeDigest: null, sessionDigest: sha256Hex(token) }, from)
  }

  async signOut(token: string, session: LiveSession, from: From): Promise<void> {
    const event = { kind: 'console.signed_out', route: '/sign-out', from, person: session } as const
    await this.#submit(
      event,
      effect({
        operation: 'session.close',
        key: session.id,
        args: { sessionDigest: sha256Hex(token) },
        answer: () => ({}),
      }),
    )
  }

  /** From the consent on an app acts for whoever is signed in; false where that could not be written down. */
  async startAppSession(
    session: LiveSession,
    app: { readonly appId: string; readonly grantId: string; readonly expiresAtMs: number },
    from: From,
  ): Promise<boolean> {
    const id = uuidv7(this.#nowMs())
    const owner = { operatorId: bare(session.operator.id), tenantId: bare(session.tenant.id) }
    const args = { app: app.appId, grant: app.grantId, session: publicId('ses', id) }
    const refusal = await this.#submit(
      { kind: 'app.signed_in', route: '/v1/oauth/interaction', from, person: session, args },
      effect({
        operation: 'session.start_app',
        key: id,
        args: { id, ...owner, ...app },
        answer: (row) =>
          row === undefined ? refuse('auth.credential_invalid', 'operator was disabled meanwhile') : {},
      }),
    )
    return refusal === undefined
  }

  /** A form that did not come from a page of ours: counted with its like. */
  async refuseForm(route: string, refusal: Refusal, from: From): Promise<void> {
    await this.#parts.floods.anonymous(from.remote, refusal.code, () =>
      personRecord(
        { kind: 'console.signed_in', route, from, nowMs: this.#nowMs(), person: undefined },
        denied(refusal.code, refusal.reason),
      ),
    )
  }

  async #setPassword(
    person: KnownPerson,
    password: string,
    by: { readonly codeDigest: string | null; readonly sessionDigest: string | null },
    from: From,
  ): Promise<PasswordAnswer> {
    const problem = passwordProblem(password, [person.operator.name, person.tenant.name, 'portcullis'])
    if (problem !== undefined) return { problem }
    const hash = await this.#parts.passwords.hash(password).catch(busy)
    if (hash === undefined) return { failed: 'busy' }
    const token = newToken()
    const args = { ...by, hash, newId: uuidv7(this.#nowMs()), newDigest: sha256Hex(token) }
    const route = by.codeDigest === null ? '/password' : '/set-password'
    const result = await this.#submit(
      { kind: 'password.set', route, from, person },
      effect({
        operation: 'password.set',
        key: person.operator.id,
        args,
        changesCredentials: true,
        answer: (row) =>
          row === undefined ? refuse('auth.credential_invalid', 'link or session ended meanwhile') : {},
      }),
    )
    return isRefusal(result) ? failure(result) : { token }
  }

  async #start(
    person: KnownPerson,
    by: SignInBy,
    passwordVersion: string | null,
    route: string,
    from: From,
  ): Promise<SignInAnswer> {
    const token = newToken()
    const args = {
      id: uuidv7(this.#nowMs()),
      sessionDigest: sha256Hex(token),
      tenantId: bare(person.tenant.id),
      operatorId: bare(person.operator.id),
      passwordVersion,
    }
    const result = await this.#submit(
      { kind: 'console.signed_in', route, from, person, args: { by, session: publicId('ses', args.id) } },
      effect({
        operation: 'session.start',
        key: args.id,
        args,
        answer: (row) =>
          row === undefined ? refuse('auth.credential_invalid', 'operator or password changed meanwhile') : {},
      }),
    )
    return isRefusal(result) ? failure(result) : { token }
  }

  async #submit(
    event: Omit<Parameters<typeof personRecord>[0], 'nowMs'> & { readonly person: KnownPerson },
    work: Effect,
  ): Promise<Refusal | undefined> {
    const result = await this.#parts.writer.submit({
      tenantId: bare(event.person.tenant.id),
      effect: work,
      record: (outcome) => personRecord({ ...event, nowMs: this.#nowMs() }, outcome),
    })
    return result.refused ? result : undefined
  }

  /** One try to be somebody: bounded per person and address, and recorded where it fails. */
  async #attempt<Found extends object | true>(
    person: string | undefined,
    from: From,
    route: string,
    why: string,
    look: () => Promise<Found | undefined>,
  ): Promise<Found | Exclude<SignInAnswer, SignedIn>> {
    const attempt = await this.#attempts.begin(person, from.remote)
    if (typeof attempt === 'number') return { waitSeconds: Math.ceil(attempt / 1000) }
    let failed = false
    try {
      const found = await look()
      failed = found === undefined
      if (found !== undefined) return found
    } catch (error) {
      busy(error)
      return { failed: 'busy' }
    } finally {
      await attempt.end(failed)
    }
    await this.#parts.floods.anonymous(from.remote, 'auth.credential_invalid', () =>
      personRecord(
        { kind: 'console.signed_in', route, from, nowMs: this.#nowMs(), person: undefined },
        denied('auth.credential_invalid', why),
      ),
    )
    return { failed: 'wrong' }
  }

  #nowMs(): number {
    return this.#parts.clock.now()
  }
}

function newToken(): string {
  return randomBytes(sessionBytes).toString('base64url')
}

function failure({ code }: Refusal): { readonly failed: 'wrong' | 'busy' } {
  return { failed: code === 'auth.credential_invalid' ? 'wrong' : 'busy' }
}

function busy(error: unknown): undefined {
  if (!(error instanceof PasswordsBusy)) throw error
}
