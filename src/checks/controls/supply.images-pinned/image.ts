import type { Spot } from '../../collect/source-file.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
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

/** The finding about a name with variables that have no value here: what stands behind them tells whether it can be a digest. */
export function openName(spot: Spot, image: string, end: number): readonly Evidence[] {
  if (isPinned(image)) return []
  if (/:[\w.-]+$/.test(image.slice(end))) return [unpinned(spot, image, 'medium')]
  return [
    doubtful(spot, `Which image ${image} is, is known to who builds or starts it alone.`, {
      confidence: 'low',
      subject: image,
    }),
  ]
}

/** Where the last variable of a text ends. */
export function endOfVariables(text: string): number {
  const last = text.lastIndexOf('$')
  const [written] = /^\$(?:\{[^}]*\}|\w+)/.exec(last === -1 ? '' : text.slice(last)) ?? []
  return written === undefined ? text.length : last + written.length
}

function why(image: string): string {
  if (image.includes('@')) return `${image} does not end in a whole digest.`
  const tag = /:([^:/]+)$/.exec(image)?.[1]
  if (tag === undefined) return `${image} has no tag, which means whatever is the latest.`
  return `${image} is taken by the tag "${tag}", which can be moved to another image.`
}
