import { maskText } from './redact.ts'

/** A JSON document as it may be shown or logged; it stays one, also where a number was taken out of it. */
export function maskJsonText(text: string): string {
  const masked = maskText(text)
  if (masked === text || parses(masked)) return masked
  const document = parsed(text)
  if (document === undefined) return masked
  return `${JSON.stringify(maskValues(document.value))}${text.endsWith('\n') ? '\n' : ''}`
}

function maskValues(value: unknown): unknown {
  if (typeof value === 'string') return maskText(value)
  if (typeof value === 'number') return maskedNumber(value)
  if (Array.isArray(value)) return value.map(maskValues)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [maskText(name), maskValues(member)]))
}

// The shortest card number has 13 digits.
const cardLeast = 1e12

/** The number, or what stands for it where it is that of a card. */
export function maskedNumber(value: number): number | string {
  if (value < cardLeast) return value
  const text = String(value)
  const masked = maskText(text)
  return masked === text ? value : masked
}

function parses(text: string): boolean {
  return parsed(text) !== undefined
}

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    // Not JSON: the caller has what to do then.
    return undefined
  }
}
