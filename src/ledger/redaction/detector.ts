export type DetectorName = 'private_key' | 'url_password' | 'jwt' | 'bearer' | 'api_key' | 'email' | 'card' | 'phone'

/**
 * Finds one kind of value in text and masks it; `hit` is told of each one found. Time MUST grow linearly with the text, so each
 * search begins where a run begins, or is bounded. What it puts in place MUST NOT be found again. The value itself is handed to
 * `mask`, where keyed pseudonyms will take the place of a fixed mark.
 */
export interface Detector {
  readonly name: DetectorName
  readonly mask: (text: string, hit: () => void) => string
}
