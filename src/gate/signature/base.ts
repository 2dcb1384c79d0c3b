import { serializeInnerList, serializeItem, type InnerList, type Item } from 'structured-headers'
import type { SignedMessage } from './message.ts'

/**
 * The bytes that a signature is over (RFC 9421, section 2.5), or why there are none: a component that is not in the message, or one
 * that nothing here derives.
 */
export function signatureBase(message: SignedMessage, covered: InnerList): SignatureBase {
  const lines: string[] = []
  for (const component of covered[0]) {
    const [name, parameters] = component
    if (typeof name !== 'string') return { problem: 'a covered component that is not a string' }
    // What parameters select (`sf`, `bs`, `key`, `req`, `tr`, `name`) is not looked at, so it is not believed either.
    if (parameters.size > 0) return { problem: `the component ${name.slice(0, 50)} with parameters` }
    const value = valueOf(message, name)
    if (value === undefined) return { problem: `the covered component ${name.slice(0, 50)} is not in the request` }
    lines.push(`${serializeItem(component)}: ${value}`)
  }
  if (new Set(lines.map((line) => line.slice(0, line.indexOf(': ')))).size < lines.length)
    return { problem: 'a component covered twice' }
  lines.push(`"@signature-params": ${serializeInnerList(covered)}`)
  const text = lines.join('\n')
  return ascii.test(text) ? { text } : { problem: 'a covered component that is not ASCII' }
}

const ascii = /^[\t\n\x20-\x7e]*$/

type SignatureBase =
  { readonly text: string; readonly problem?: undefined } | { readonly text?: undefined; readonly problem: string }

/** The covered components by name. */
export function namesOf(items: readonly Item[]): ReadonlySet<unknown> {
  return new Set(items.map(([name]) => name))
}

function valueOf(message: SignedMessage, name: string): string | undefined {
  switch (name) {
    case '@method':
      return message.method
    case '@path':
      return message.path === '' ? '/' : message.path
    case '@query':
      return message.query ?? '?'
    case '@request-target':
      return `${message.path}${message.query ?? ''}`
    case '@authority':
      // Which port is the default one is not known behind a proxy, so none is taken away.
      return message.authority?.toLowerCase()
    default:
      return name.startsWith('@') ? undefined : fieldOf(message.fields, name)
  }
}

/** Section 2.1. Obsolete line folding never gets here: node:http refuses it. */
function fieldOf(fields: SignedMessage['fields'], name: string): string | undefined {
  // Field names are in lower case in a signature; any other would be found by no reader that follows the RFC.
  const values = name === name.toLowerCase() ? fields(name) : []
  return values.length === 0 ? undefined : values.map((value) => value.trim()).join(', ')
}
