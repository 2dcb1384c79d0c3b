import type { RateState } from '#core'

const policyTexts = new WeakMap<RateState['rate'], string>()

/**
 * The fields `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11): tokens left and the seconds until the
 * bucket is full again, or until a refused call can succeed; the tokens that it holds and the seconds it takes to fill.
 */
export function rateHeaders({ policy, rate, left, waitMs }: RateState): {
  readonly limit: string
  readonly policy: string
} {
  const seconds = waitMs > 0 ? Math.ceil(waitMs / 1000) : Math.ceil((rate.burst - left) / rate.perSecond)
  return { limit: `"${policy}";r=${left};t=${seconds}`, policy: `"${policy}"${policyText(rate)}` }
}

function policyText(rate: RateState['rate']): string {
  const known = policyTexts.get(rate)
  if (known !== undefined) return known
  const text = `;q=${Math.floor(rate.burst)};w=${Math.max(1, Math.ceil(rate.burst / rate.perSecond))}`
  policyTexts.set(rate, text)
  return text
}
