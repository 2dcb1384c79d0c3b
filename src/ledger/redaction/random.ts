const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
// Ids of ours and their like: a short kind, `_`, and a UUID.
const publicId = /^[a-z]{2,5}_[0-9a-f]{8}-/
const date = /^\d{4}-\d\d-\d\d/
const version = /^v?\d+\.\d/

/**
 * Whether text was made by chance and not by a person: letters of both cases with digits among them, and many different
 * ones. Ids, dates, versions and words are not.
 */
export function looksRandom(text: string): boolean {
  if (text.length < 8 || isPlain(text)) return false
  if (!/\d/.test(text)) return text.length >= 16 && /[a-z][A-Z]/.test(text) && distinct(text) >= 10 && !isCamel(text)
  if (!/[A-Za-z]/.test(text)) return false
  return distinct(text) >= Math.min(8, text.length - 2)
}

/** Of both cases and with digits, as base62 and base64 are: what no name, id or hash is. */
export function looksBase62(text: string): boolean {
  return /\d/.test(text) && /[a-z]/.test(text) && /[A-Z]/.test(text) && distinct(text) >= 12
}

function isPlain(text: string): boolean {
  return uuid.test(text) || publicId.test(text) || date.test(text) || version.test(text)
}

// `someLongCamelCaseName` is made of words of three letters and more.
function isCamel(text: string): boolean {
  return (text.match(/[A-Z]/g)?.length ?? 0) * 4 <= text.length
}

function distinct(text: string): number {
  return new Set(text.slice(0, 64)).size
}
