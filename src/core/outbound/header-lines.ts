/** The headers in a text with one `name: value` in each line; what is no header is passed over. */
export function headerLines(text: string): Readonly<Record<string, string>> {
  const pairs = text.split('\n').flatMap((line) => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const] : []
  })
  return Object.fromEntries(pairs)
}
