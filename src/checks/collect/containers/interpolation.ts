/** A text of a compose file with its variables put in. */
export interface Interpolated {
  readonly text: string
  /** Variables whose value only the environment of whoever starts it gives: they are empty in `text`. */
  readonly missing: readonly string[]
  /** Variables that are there, by what gives them: the default in the text, or the `.env` beside the file. */
  readonly given: readonly { readonly name: string; readonly by: 'default' | 'env' }[]
}

/** As Docker Compose does it: `$NAME`, `${NAME:-else}`, `${NAME:?why}`, `${NAME:+then}`, and `$$` for a dollar. */
export function interpolate(text: string, env: ReadonlyMap<string, string>, depth = 0): Interpolated {
  if (!text.includes('$') || depth > 8) return { text, missing: [], given: [] }
  const missing: string[] = []
  const given: { name: string; by: 'default' | 'env' }[] = []
  const parts: string[] = []
  let at = 0
  // Where one brace is never closed, none before it is.
  let closed = true
  for (;;) {
    const dollar = text.indexOf('$', at)
    if (dollar === -1 || dollar === text.length - 1) break
    parts.push(text.slice(at, dollar))
    const next = text[dollar + 1] ?? ''
    const end = next === '{' && closed ? closing(text, dollar + 1) : -1
    if (next === '{' && end === -1) closed = false
    const bare = /^[A-Za-z_]\w{0,255}/.exec(text.slice(dollar + 1, dollar + 257))?.[0]
    if (next === '{' && end !== -1) {
      put(text.slice(dollar + 2, end))
      at = end + 1
    } else if (bare !== undefined) {
      put(bare)
      at = dollar + 1 + bare.length
    } else {
      parts.push('$')
      at = dollar + (next === '$' ? 2 : 1)
    }
  }
  parts.push(text.slice(at))
  return { text: parts.join(''), missing, given }

  function put(expression: string): void {
    const [, name = '', operator = '', other = ''] = /^(\w+)(:?[-?+])?([\s\S]*)$/.exec(expression) ?? []
    const value = env.get(name)
    const set = value !== undefined && (value !== '' || !operator.startsWith(':'))
    if (operator.endsWith('+')) {
      if (set) parts.push(interpolate(other, env, depth + 1).text)
    } else if (set) {
      parts.push(value)
      given.push({ name, by: 'env' })
    } else if (operator.endsWith('-')) {
      const inner = interpolate(other, env, depth + 1)
      parts.push(inner.text)
      missing.push(...inner.missing)
      if (inner.missing.length === 0) given.push({ name, by: 'default' })
    } else missing.push(name)
  }
}

function closing(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1
    else if (text[at] === '}') {
      depth -= 1
      if (depth === 0) return at
    }
  }
  return -1
}
