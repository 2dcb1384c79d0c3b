import type { Detector } from './detector.ts'
import { looksRandom } from './random.ts'

// A password may hold an @ of its own: it ends at the last one of its run.
const withPassword = /(:\/\/[^\s/@:"'\\]{0,128}:)([^\s/"'\\]{1,512})@/g
const asUser = /(:\/\/)([A-Za-z0-9_.~%+=-]{20,256})(?::[^\s/@"'\\]{0,64})?@/g

/** The password in `scheme://user:password@host`, and a token in place of the user. */
export const urlPassword: Detector = {
  name: 'url_password',
  find: ({ text }, found) => {
    if (!text.includes('://')) return
    for (const { index, 1: before = '', 2: user = '' } of text.matchAll(asUser)) {
      const start = index + before.length
      if (looksRandom(user)) found(start, start + user.length, '***')
    }
    for (const { index, 1: before = '', 2: password = '' } of text.matchAll(withPassword)) {
      const start = index + before.length
      if (password !== '***') found(start, start + password.length, '***')
    }
  },
}

const jsonBase64 = /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*/g

/** JSON Web Tokens, and what else is `eyJ….…`: the base64 of a JSON object. A cut one counts. */
export const jwt: Detector = {
  name: 'jwt',
  find: ({ view }, found) => {
    if (!view.includes('eyJ')) return
    for (const { index, 0: token } of view.matchAll(jsonBase64)) found(index, index + token.length, 'eyJ***')
  },
}

const behindScheme =
  /(?<![A-Za-z0-9_])((?:bearer|basic|token|apikey|negotiate|dpop|key)[ :=]{1,4}["']?)([A-Za-z0-9._~+/=-]{8,})(?!\()/gi

/** Credentials behind the name of an authentication scheme (RFC 9110, 11.4). */
export const bearer: Detector = {
  name: 'bearer',
  find: ({ view }, found) => {
    for (const { index, 1: before = '', 2: credential = '' } of view.matchAll(behindScheme)) {
      if (!isCredential(before, credential)) continue
      const start = index + before.length
      found(start, start + credential.length, '***')
    }
  },
}

// `key` is an ordinary word: what follows it is a credential only where it looks like nothing else.
function isCredential(scheme: string, credential: string): boolean {
  if (/^key/i.test(scheme)) return credential.length >= 20 && looksRandom(credential)
  return credential.length >= 40 || /\d/.test(credential) || /[a-z][A-Z]/.test(credential)
}
