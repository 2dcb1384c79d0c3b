import type { Detector } from './detector.ts'

// 13 to 19 digits, alone or in groups; begins where a run of digits begins. Parts of ids and of fractions are none.
const candidate = /(?<![\w.-])\d(?:[ \u00a0-]?\d){12,18}(?![\w-]|\.\d)/g
// Issuers and their lengths (ISO/IEC 7812): American Express, Diners, Visa, Mastercard, Discover, JCB, UnionPay, Maestro.
const issuer =
  /^(?:3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|4\d{12}(?:\d{3}){0,2}|5[1-5]\d{14}|2[2-7]\d{14}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35\d{14}|62\d{14,17}|(?:50|5[6-9]|6[37])\d{14})$/

/** Card numbers: an issuer's prefix and length, and the check digit of Luhn. */
export const card: Detector = {
  name: 'card',
  find: ({ view }, found) => {
    for (const { index, 0: candidateText } of view.matchAll(candidate)) {
      const digits = candidateText.replaceAll(/\D/g, '')
      if (issuer.test(digits) && passesLuhn(digits)) found(index, index + candidateText.length, '[card]')
    }
  },
}

function passesLuhn(digits: string): boolean {
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at])
    const doubled = at % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
