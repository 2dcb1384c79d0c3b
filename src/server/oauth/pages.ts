import type { Pages } from '#authority'
import { escape, page } from '../http/page.ts'

/** The pages of the authorization server itself; those for signing in and agreeing are elsewhere. */
export const oauthPages: Pages = {
  error: (title, text) =>
    page(title, `<p>${escape(text)}</p><p>Go back to the program that sent you here, and begin again.</p>`),
  // The form is made by the library, of its own values.
  confirmLogout: (form) =>
    page(
      'Sign out?',
      `<p>You are signed in here. Signing out ends what you allowed programs to do in this session.</p>${form}
       <p><button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
       <button type="submit" form="op.logoutForm">Stay signed in</button></p>`,
    ),
  goOn: (form) => page('One more step', `<p>Whoever was signed in here before is signed out first.</p>${form}`),
  signedOut: () => page('You are signed out', '<p>What you allowed programs to do in this session has ended.</p>'),
}
