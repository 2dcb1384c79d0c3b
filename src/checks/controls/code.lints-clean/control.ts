import type { Control } from '../../check.ts'
import { r23 } from './r23.ts'

export const lintsClean: Control = {
  id: 'code.lints-clean',
  title: 'Sources keep clear of habits that make holes',
  severity: 'high',
  why: 'A token in web storage is read by any script of the page, a check that catches its own error lets in whoever makes it fail, and a limit that is none lets one request fill the memory.',
  remediation:
    'Keep tokens in cookies that are HttpOnly or in memory; refuse when deciding fails; compare secrets with timingSafeEqual, hmac.compare_digest or subtle.ConstantTimeCompare; give bodies, messages and replies a size; cut and redact the output of programs before it goes into an error; say it when a file cannot be removed.',
  references: [
    'https://cheatsheetseries.owasp.org/cheatsheets/HTML5_Security_Cheat_Sheet.html',
    'https://cwe.mitre.org/data/definitions/636.html',
    'https://cwe.mitre.org/data/definitions/208.html',
    'https://cwe.mitre.org/data/definitions/770.html',
    'https://nodejs.org/api/crypto.html#cryptotimingsafeequala-b',
  ],
  rows: ['R23'],
  checks: [r23],
}
