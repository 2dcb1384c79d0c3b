// Variables that are made of themselves double with each line.
const lengthMax = 4096

/**
 * A word with what ARG and ENV say put in, and its quotes taken off: `$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME:+then}`. Undefined
 * where something has no value, or is written in a way that only the build resolves.
 */
export function expandVariables(word: string, variables: ReadonlyMap<string, string | undefined>): string | undefined {
  const plain = unquoted(word)
  if (!plain.includes('$')) return plain
  let known = true
  const text = plain.replaceAll(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+])([^{}]*))?\}|\{[^}]*\}?)/g,
    (_, bare?: string, braced?: string, operator?: string, other = '') => {
      const value = variables.get(bare ?? braced ?? '')
      const set = value !== undefined && (value !== '' || operator?.startsWith(':') !== true)
      if (operator?.endsWith('+') === true) return set ? other : ''
      if (set) return value
      if (operator !== undefined) return other
      known = false
      return ''
    },
  )
  return known && text.length <= lengthMax ? text : undefined
}

/** What one ENV or ARG sets; `value` as it is written, absent where an ARG has none. */
export interface Assignment {
  readonly name: string
  readonly value?: string
  /** Where the value begins in the text of the instruction. */
  readonly start: number
}

/** `ENV A=1 B="2"`, `ENV A 1`, `ARG A=1`. */
export function assignmentsIn(keyword: string, text: string): readonly Assignment[] {
  const flat = text.replaceAll(/\\\r?\n/g, (end) => ' '.repeat(end.length))
  const [, head = '', single, rest] = /^(\s*([A-Za-z_]\w*)[ \t]+)([^=\s][\s\S]*)$/.exec(flat) ?? []
  if (keyword === 'ENV' && single !== undefined && rest !== undefined && !/^\s*[A-Za-z_]\w*=/.test(flat))
    return [{ name: single, value: rest.trimEnd(), start: head.length }]
  return [...flat.matchAll(/(?<=^|\s)([A-Za-z_]\w*)(?:=("(?:[^"\\]|\\.)*"|'[^']*'|\S*))?(?=\s|$)/g)].map(
    ({ index, 1: name = '', 2: value }) => ({
      name,
      start: index + name.length + 1,
      ...(value === undefined ? {} : { value }),
    }),
  )
}

export function unquoted(word: string): string {
  const quote = word[0]
  return (quote === '"' || quote === "'") && word.length > 1 && word.endsWith(quote) ? word.slice(1, -1) : word
}
