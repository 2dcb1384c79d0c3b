import type { LiveSession } from '#store'
import { escape, page } from './page.ts'
import { scopeWords } from './scope-words.ts'

/** Makes a form of its fields, with what shows where it came from. */
export type MakeForm = (action: string, fields: string) => string

interface SignInView {
  readonly form: MakeForm
  readonly problem?: string | undefined
  readonly tenant?: string | undefined
  readonly name?: string | undefined
  /** A sign-in that an app has asked for. */
  readonly interaction?: string | undefined
  /** Where people can sign in instead. */
  readonly issuer?: string | undefined
}

export function signInPage({ form, problem, tenant = 'main', name = '', interaction, issuer }: SignInView): string {
  const hidden =
    interaction === undefined ? '' : `<input type="hidden" name="interaction" value="${escape(interaction)}">`
  const bad = problem === undefined ? '' : ' aria-invalid="true" aria-describedby="problem"'
  const local = form(
    '/sign-in',
    `${hidden}<label for="name">Name</label>
<input id="name" name="name" value="${escape(name)}" autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="63" required${name === '' ? ' autofocus' : ''}${bad}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="512" required${name === '' ? '' : ' autofocus'}${bad}>
<label for="tenant">Tenant</label>
<input id="tenant" name="tenant" value="${escape(tenant)}" autocomplete="organization" autocapitalize="none" spellcheck="false" maxlength="63" required>
<button type="submit">Sign in</button>`,
  )
  const query = interaction === undefined ? '' : `?interaction=${encodeURIComponent(interaction)}`
  const upstream =
    issuer === undefined
      ? ''
      : `<p><a class="button" href="/sign-in/upstream${query}">Sign in with ${escape(issuer)}</a></p><h2>Or with a password</h2>`
  return page(titled('Sign in', problem), `${alert(problem)}${upstream}${local}`, 'Sign in')
}

interface SetPasswordView {
  readonly form: MakeForm
  readonly problem?: string | undefined
  readonly name: string
  readonly tenant: string
  readonly code: string
}

export function setPasswordPage({ form, problem, name, tenant, code }: SetPasswordView): string {
  const fields = form(
    '/set-password',
    `<input type="hidden" name="code" value="${escape(code)}">
<input type="hidden" name="username" value="${escape(name)}" autocomplete="username">${newPassword(problem)}<button type="submit">Set the password</button>`,
  )
  return page(
    titled('Choose a password', problem),
    `${alert(problem)}<p>For <strong>${escape(name)}</strong> in the tenant <strong>${escape(tenant)}</strong>. You are signed in with it at once.</p>${fields}`,
    'Choose a password',
  )
}

export function changePasswordPage(form: MakeForm, session: LiveSession, problem?: string): string {
  const old = `<label for="old">Password until now</label>
<input id="old" name="old" type="password" autocomplete="current-password" maxlength="512" required${problem === undefined ? ' autofocus' : ''}>`
  const fields = form(
    '/password',
    `${session.hasPassword ? old : ''}${newPassword(problem)}<button type="submit">Set the password</button>`,
  )
  const heading = session.hasPassword ? 'Change the password' : 'Choose a password'
  return page(
    titled(heading, problem),
    `${alert(problem)}<p>All your other sessions end, and the apps that you signed in to ask you again.</p>${fields}<p><a href="/">Back</a></p>`,
    heading,
  )
}

export function homePage(form: MakeForm, session: LiveSession): string {
  const { operator, tenant, hasPassword, upstream } = session
  const password = `<a href="/password">${hasPassword ? 'Change the password' : 'Choose a password'}</a> · `
  return page(
    'You are signed in',
    `<dl><dt>Operator</dt><dd>${escape(operator.name)}</dd><dt>Tenant</dt><dd>${escape(tenant.name)}</dd></dl>
       <p>Work from a terminal:</p><pre>npx portcullis login\nnpx portcullis agent list\nnpx portcullis ledger tail</pre>
       <p>${upstream ? '' : password}<a href="/problems">What the refusals mean</a></p>
       ${form('/sign-out', '<button type="submit" class="quiet">Sign out</button>')}`,
  )
}

export interface ConsentView {
  readonly uid: string
  readonly app: string
  /** Whose app it is; undefined for one of ours. */
  readonly tenant: string | undefined
  /** Those that the person holds. */
  readonly scopes: readonly string[]
  /** Where the browser goes afterwards: scheme and host. */
  readonly goesTo: string
  /** How long it lasts at most; undefined for one access token. */
  readonly lastsSeconds: number | undefined
}

export function consentPage(form: MakeForm, session: LiveSession, view: ConsentView): string {
  const { uid, app, tenant, scopes, goesTo, lastsSeconds } = view
  const asked = scopes.map((scope) => `<li>${escape(scopeWords(scope))} (<code>${escape(scope)}</code>)</li>`)
  const fields = form(
    `/v1/oauth/interaction/${encodeURIComponent(uid)}`,
    `<button type="submit" name="decision" value="allow">Allow</button><button type="submit" name="decision" value="deny" class="quiet">Deny</button>`,
  )
  return page(
    `Allow ${app}?`,
    `<p>The app <strong>${escape(app)}</strong>${tenant === undefined ? '' : ` of the tenant <strong>${escape(tenant)}</strong>`} asks to act for you.</p>
     <dl><dt>You are</dt><dd>${escape(session.operator.name)} of ${escape(session.tenant.name)}</dd>
     <dt>It goes on at</dt><dd>${escape(goesTo)}</dd>
     <dt>It lasts</dt><dd>${lasting(lastsSeconds)}</dd></dl>
     <h2>It could</h2>${asked.length === 0 ? '<p>Nothing: you are not allowed what it asks for.</p>' : `<ul>${asked.join('')}</ul>`}
     <p class="hint">It gets no more than you are allowed yourself. Allow it only where you have just started this sign-in. <code>portcullis session list</code> shows it, and <code>session revoke</code> ends it.</p>${fields}`,
  )
}

function lasting(seconds: number | undefined): string {
  if (seconds === undefined) return 'an hour at most'
  const hours = Math.ceil(seconds / 3600)
  return hours < 48 ? `${hours} hours at most` : `${Math.ceil(hours / 24)} days at most`
}

/** A page that only says something; what stands between backticks is code. */
export function notePage(title: string, text: string, link?: { readonly href: string; readonly text: string }): string {
  const more = link === undefined ? '' : `<p><a href="${escape(link.href)}">${escape(link.text)}</a></p>`
  return page(title, `<p>${escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')}</p>${more}`)
}

function newPassword(problem: string | undefined): string {
  const bad = problem === undefined ? '' : ' aria-invalid="true" autofocus'
  const described = problem === undefined ? 'rule' : 'problem rule'
  return `<label for="new">New password</label>
<input id="new" name="password" type="password" autocomplete="new-password" minlength="12" maxlength="128" required aria-describedby="${described}"${bad}>
<p class="hint" id="rule">12 to 128 characters. Length counts; a few words are fine.</p>
<label for="again">New password, again</label>
<input id="again" name="again" type="password" autocomplete="new-password" minlength="12" maxlength="128" required>`
}

function alert(problem: string | undefined): string {
  return problem === undefined ? '' : `<p class="problem" id="problem" role="alert">${escape(problem)}</p>`
}

// Screen readers say the title first.
function titled(title: string, problem: string | undefined): string {
  return problem === undefined ? title : `Problem: ${title}`
}
