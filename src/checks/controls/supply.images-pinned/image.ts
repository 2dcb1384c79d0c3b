import type { Spot } from '../../collect/source-file.ts'
import { failing, type Evidence } from '../../evidence.ts'
import type { Confidence } from '../../outcome.ts'

const digest = /@(?:sha256:[\da-f]{64}|sha512:[\da-f]{128})$/i

/** An image by its whole digest; a tag before it does not matter. */
export function isPinned(image: string): boolean {
  return digest.test(image.trim())
}

/** The finding about an image without one. */
export function unpinned(spot: Spot, image: string, confidence: Confidence = 'high'): Evidence {
  return failing(spot, `${why(image)} Name it by digest.`, { confidence, subject: image })
}

function why(image: string): string {
  if (image.includes('@')) return `${image} does not end in a whole digest.`
  const tag = /:([^:/]+)$/.exec(image)?.[1]
  if (tag === undefined) return `${image} has no tag, which means whatever is the latest.`
  return `${image} is taken by the tag "${tag}", which can be moved to another image.`
}
