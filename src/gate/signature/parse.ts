import { isInnerList, parseDictionary, serializeDictionary, type Dictionary, type InnerList } from 'structured-headers'
import type { SignedMessage } from './message.ts'

/** The one signature of a request that counts, as it was written (RFC 9421, section 4). */
export interface ParsedSignature {
  readonly label: string
  /** The covered components and the parameters. */
  readonly covered: InnerList
  readonly bytes: Uint8Array
}

/** The signature that counts where a request has several, for example one of a proxy. */
export const ownLabel = 'portcullis'

// Far beyond what a signature needs.
const componentsMax = 32
const textMax = 4096

/** The signature, or why there is none that can be read. */
export function parseSignature(fields: SignedMessage['fields']): ParsedSignature | string {
  const inputs = dictionaryOf(fields('signature-input'))
  const signatures = dictionaryOf(fields('signature'))
  if (typeof inputs === 'string') return `signature-input ${inputs}`
  if (typeof signatures === 'string') return `signature ${signatures}`
  const label = labelOf(inputs)
  if (label === undefined) return `${inputs.size} signatures and none of them labelled ${ownLabel}`
  const covered = inputs.get(label)
  if (covered === undefined || !isInnerList(covered)) return 'signature-input is not a list of components'
  if (covered[0].length > componentsMax) return `more than ${componentsMax} components`
  const bytes: unknown = signatures.get(label)?.[0]
  if (!(bytes instanceof ArrayBuffer)) return `no signature labelled ${label}`
  return { label, covered, bytes: new Uint8Array(bytes) }
}

function labelOf(inputs: Dictionary): string | undefined {
  const [only, second] = inputs.keys()
  return second === undefined || inputs.has(ownLabel) ? (inputs.has(ownLabel) ? ownLabel : only) : undefined
}

/** One field, in the one form that a dictionary is written in: doubled members and parameters, or loose base64, have another. */
function dictionaryOf(values: readonly string[]): Dictionary | string {
  const [value, second] = values
  if (value === undefined) return 'is missing'
  if (second !== undefined) return 'is there more than once'
  if (value.length > textMax) return `has more than ${textMax} characters`
  try {
    const parsed = parseDictionary(value)
    return serializeDictionary(parsed) === value.trim() ? parsed : 'is not in the form of RFC 9651, section 4.1'
  } catch {
    // What it says is not for the caller to hear.
    return 'is not a dictionary (RFC 9651)'
  }
}
