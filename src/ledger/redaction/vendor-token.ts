import type { Detector } from './detector.ts'
import { looksBase62 } from './random.ts'
import { characters, eachRun } from './runs.ts'

// A short lower-case prefix with up to two more parts, and a long run behind it: the form that makers of keys have agreed on.
const prefixed =
  /(?<![A-Za-z0-9+/_.-])([a-z][a-z0-9]{1,11}[_-](?:[a-z0-9]{2,10}[_-])?(?:[a-z0-9]{2,10}[_-])?)([A-Za-z0-9]{22,256})(?![A-Za-z0-9+/=])/g

const letters = characters(/[A-Za-z0-9]/)
const longLeast = 22

/** Keys of vendors that no row names. Hashes, ids and names are none: the long part has letters of both cases and digits. */
export const vendorToken: Detector = {
  name: 'vendor_token',
  find: ({ view }, found) => {
    let long = false
    eachRun(view, letters, longLeast, () => {
      long = true
    })
    if (!long) return
    for (const { index, 1: prefix = '', 2: body = '' } of view.matchAll(prefixed)) {
      if (looksBase62(body)) found(index, index + prefix.length + body.length, `${prefix}***`)
    }
  },
}
