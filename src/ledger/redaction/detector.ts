export type DetectorName =
  | 'private_key'
  | 'url_password'
  | 'signed_url'
  | 'jwt'
  | 'api_key'
  | 'bearer'
  | 'named_secret'
  | 'vendor_token'
  | 'email'
  | 'card'
  | 'phone'

/** Told of a value that was found, from `start` to before `end`, and of what takes its place. */
export type Found = (start: number, end: number, mask: string) => void

export interface Searched {
  /** As it came. */
  readonly text: string
  /** Of the same length, with escapes as what they stand for: see `viewOf`. */
  readonly view: string
}

/**
 * Finds one kind of value in text. Time MUST grow linearly with the text, so each search begins where a run begins, or is bounded.
 * What it puts in place MUST NOT be found again. `personal` values get a keyed pseudonym instead of the mask where there is a key.
 */
export interface Detector {
  readonly name: DetectorName
  readonly personal?: true
  readonly find: (searched: Searched, found: Found) => void
}
