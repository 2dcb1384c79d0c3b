import type { Detector } from './detector.ts'

/** The password in `scheme://user:password@host`. */
export const urlPassword: Detector = {
  name: 'url_password',
  mask: (text, hit) =>
    text.replace(/(:\/\/[^\s/@:"'\\]{0,128}:)([^\s/@"'\\]{1,512})@/g, (whole, before: string, password: string) => {
      if (password === '***') return whole
      hit()
      return `${before}***@`
    }),
}

/** JSON Web Tokens, and what else is `eyJ….…`: the base64 of a JSON object. A cut one counts. */
export const jwt: Detector = {
  name: 'jwt',
  mask: (text, hit) =>
    text.replace(/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}/g, () => {
      hit()
      return 'eyJ***'
    }),
}

/** Credentials behind the name of an authentication scheme (RFC 9110, 11.4). */
export const bearer: Detector = {
  name: 'bearer',
  mask: (text, hit) =>
    text.replace(
      /(?<![A-Za-z0-9])(bearer|basic|token|apikey)([ :=]{1,4})([A-Za-z0-9._~+/=-]{8,})/gi,
      (whole, scheme: string, between: string, credential: string) => {
        if (!isRandom(credential)) return whole
        hit()
        return `${scheme}${between}***`
      },
    ),
}

/** Words are not credentials: `bearer authentication`. Whatever was masked before is not either. */
function isRandom(text: string): boolean {
  return text.length >= 40 || /\d/.test(text) || /[a-z][A-Z]/.test(text)
}
