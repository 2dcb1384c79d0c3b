import type { DetectorName } from './detector.ts'

/** Made-up values of the right form in the texts they come in. Put together from parts, so that no scanner takes them for real. */
export interface Positive {
  readonly kind: DetectorName
  readonly text: string
  /** What must not be left of it. */
  readonly secret: string
}

/** One value in one text or several, in which `%` stands for it. */
export function of(kind: DetectorName, secret: string, ...texts: readonly string[]): readonly Positive[] {
  return texts.map((text) => ({ kind, secret, text: text.replaceAll('%', () => secret) }))
}

/** The texts in which any value can come: JSON, also as text in JSON, URLs, logs, code, YAML and environments. */
export function everywhere(kind: DetectorName, ...secrets: readonly string[]): readonly Positive[] {
  const texts = [
    '%',
    '{"value":"%"}',
    JSON.stringify({ log: 'first line\n%\nlast line' }),
    JSON.stringify({ log: JSON.stringify({ line: 'deep\n%\n' }) }),
    'GET https://api.example.com/v1/items?q=%&page=2',
    'next=https%3A%2F%2Fexample.com%2F%3Fq%3D'.replaceAll('%', '\u0000') + '%',
    '2026-11-21T10:15:00Z WARN upstream answered 401 for % after 3 tries',
    "const client = new Client('%', { retries: 3 })",
    '  value: %',
    'VALUE=%',
    '<value>%</value>',
    'it was "%", he said',
    '\u001b[31m%\u001b[0m',
    'a,b,%,d',
  ]
  return secrets.flatMap((secret) =>
    texts.map((text) => ({ kind, secret, text: text.replaceAll('%', () => secret).replaceAll('\u0000', '%') })),
  )
}

/** Put together, so that no part of it stands in a file as a whole. */
export const join = (...parts: readonly string[]): string => parts.join('')
