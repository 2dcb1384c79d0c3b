import type { Detector } from './detector.ts'

// Each begins where digits begin and is bounded. International (E.164), North American, and national with a leading 0.
const forms: readonly RegExp[] = [
  /(?<![\w+])(?:\+|00(?=[1-9][ ]?\d))[1-9](?:[ ().\u00a0-]{0,2}\d){6,14}(?![\w-])/g,
  /(?<![\w.+-])(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}(?![\w-]|\.\d)/g,
  /(?<![\w.+:/-])(?:\(0\d{1,4}\)|0\d{1,4})[ /-]\d{3,4}(?:[ -]?\d{2,4}){1,3}(?![\w-]|[.:/]\d)/g,
]
const digitsMin = 8

export const phone: Detector = {
  name: 'phone',
  personal: true,
  find: ({ view }, found) => {
    for (const form of forms) {
      for (const { index, 0: number } of view.matchAll(form)) {
        if (number.replaceAll(/\D/g, '').length >= digitsMin) found(index, index + number.length, '[phone]')
      }
    }
  },
}
