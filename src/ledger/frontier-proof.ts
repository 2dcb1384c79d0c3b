import { Frontier, isCount } from './tree.ts'

/** A consistency proof as the log gives it (RFC 6962 2.1.2); hashes in hex. */
export interface ProvenPrefix {
  readonly from: number
  readonly to: number
  readonly fromRoot: string
  readonly proof: readonly string[]
}

/**
 * The frontier at the smaller size of a consistency proof, in hex: such a proof holds every perfect subtree of the smaller tree.
 * Undefined where it does not come to the root that goes with it, and where both sizes are the same and no power of two.
 */
export function frontierOfProof({ from, to, fromRoot, proof }: ProvenPrefix): string | undefined {
  if (!isCount(from) || !isCount(to) || from === 0 || from > to) return undefined
  let fn = from - 1
  let sn = to - 1
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)]
  // A power of two is one perfect subtree.
  const [start, ...rest] = fn === 0 ? [fromRoot] : proof
  const subtrees = [start ?? '']
  for (const node of rest) {
    if (fn % 2 === 1 || fn === sn) {
      subtrees.push(node)
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)]
    }
    ;[fn, sn] = [half(fn), half(sn)]
  }
  const frontier = subtrees.toReversed().join('')
  try {
    const root = Frontier.fromBytes(from, Buffer.from(frontier, 'hex')).root().toString('hex')
    return root === fromRoot ? frontier : undefined
  } catch {
    // As many hashes as the size does not have.
    return undefined
  }
}

function half(value: number): number {
  return Math.floor(value / 2)
}
