/**
 * The expressions of GitHub Actions (`${{ … }}`): found in a text, read into a tree, and asked what of them gets into their result.
 * After https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
 */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | Context
  | { readonly kind: 'call'; readonly name: string; readonly of: readonly Expression[] }
  /** What a call gave, taken apart: `fromJSON(x).y`. */
  | { readonly kind: 'part'; readonly of: readonly [Expression, ...Expression[]] }
  | Operation

export interface Operation {
  readonly kind: 'and' | 'or' | 'compare' | 'not'
  readonly of: readonly Expression[]
  readonly operator: string
}

/** `github.event.issue['title']`. Names are compared without case; here they are in lower case. */
export interface Context {
  readonly kind: 'context'
  /** `*` stands for every item, `?` for a name that is computed. */
  readonly path: readonly string[]
  /** What the computed names are computed from. */
  readonly computed: readonly Expression[]
}

/** One `${{ … }}` of a text; offsets are those of the whole of it in that text. */
export interface FoundExpression {
  readonly start: number
  readonly end: number
  /** As it is written, without its braces. */
  readonly text: string
  /** Absent where GitHub would refuse it. */
  readonly expression?: Expression
}

/** Every expression of a text, in order. */
export function expressionsIn(text: string): readonly FoundExpression[] {
  const found: FoundExpression[] = []
  for (let at = text.indexOf('${{'); at !== -1;) {
    const close = closing(text, at + 3)
    // Without its end it is text, and so is all that follows.
    if (close === -1) break
    const inner = text.slice(at + 3, close)
    const expression = parseExpression(inner)
    found.push({ start: at, end: close + 2, text: inner.trim(), ...(expression === undefined ? {} : { expression }) })
    at = text.indexOf('${{', close + 2)
  }
  return found
}

/** The text with a word of the same length in the place of each expression. */
export function maskExpressions(text: string): string {
  let masked = ''
  let from = 0
  for (const { start, end } of expressionsIn(text)) {
    masked += text.slice(from, start) + 'E'.repeat(end - start)
    from = end
  }
  return masked + text.slice(from)
}

/** The tree of an expression without its braces, as `if` has it; undefined where GitHub would refuse it. */
export function parseExpression(text: string): Expression | undefined {
  if (text.length > charactersMax) return undefined
  const tokens = tokensOf(text)
  if (tokens === undefined) return undefined
  try {
    return new Parser(tokens).whole()
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

// GitHub takes no longer and no deeper one.
const charactersMax = 21_000
const depthMax = 50

// A brace in a string closes nothing; a quote in a string is doubled, which opens and closes it once more.
function closing(text: string, from: number): number {
  let quoted = false
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "'") quoted = !quoted
    else if (!quoted && text[at] === '}' && text[at + 1] === '}') return at
  }
  return -1
}

type Token =
  | { readonly kind: 'sign'; readonly text: string }
  | { readonly kind: 'name'; readonly text: string }
  | { readonly kind: 'value'; readonly value: string | number | boolean | null }

const tokenPattern =
  /\s+|(?<string>'(?:[^']|'')*')|(?<number>[-+]?(?:0x[\da-f]+|0o[0-7]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)(?![\w.]))|(?<name>[a-z_][\w-]*)|(?<sign>&&|\|\||[=!<>]=|[()[\],.*!<>])/iy

const words = new Map<string, boolean | number | null>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['nan', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
])

function tokensOf(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < text.length) {
    const groups = tokenPattern.exec(text)?.groups
    if (groups === undefined) return undefined
    const { string, number, name, sign } = groups
    const afterDot = tokens.at(-1)?.kind === 'sign' && (tokens.at(-1) as { text: string }).text === '.'
    if (string !== undefined) tokens.push({ kind: 'value', value: string.slice(1, -1).replaceAll("''", "'") })
    else if (number !== undefined) tokens.push({ kind: 'value', value: Number(number) })
    else if (name !== undefined) {
      const word = afterDot ? undefined : words.get(name.toLowerCase())
      tokens.push(word === undefined ? { kind: 'name', text: name } : { kind: 'value', value: word })
    } else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign })
  }
  return tokens
}

class Refused extends Error {}

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Expression {
    const expression = this.#or()
    if (this.#at < this.#tokens.length) throw new Refused()
    return expression
  }

  #or(): Expression {
    return this.#chain('or', ['||'], () => this.#and())
  }

  #and(): Expression {
    return this.#chain('and', ['&&'], () => this.#compare())
  }

  #compare(): Expression {
    return this.#chain('compare', ['==', '!=', '<', '<=', '>', '>='], () => this.#unary())
  }

  #chain(kind: 'and' | 'or' | 'compare', signs: readonly string[], next: () => Expression): Expression {
    const of = [next()]
    let operator = ''
    while (signs.includes(this.#sign())) {
      operator = this.#sign()
      this.#at += 1
      of.push(next())
    }
    const [only] = of
    return of.length === 1 && only !== undefined ? only : { kind, of, operator }
  }

  #unary(): Expression {
    this.#depth += 1
    if (this.#depth > depthMax) throw new Refused()
    const negated = this.#take('!')
    const expression: Expression = negated
      ? { kind: 'not', of: [this.#unary()], operator: '!' }
      : this.#access(this.#primary())
    this.#depth -= 1
    return expression
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at]
    if (token === undefined) throw new Refused()
    this.#at += 1
    if (token.kind === 'value') return { kind: 'literal', value: token.value }
    if (token.kind === 'name') {
      if (this.#take('(')) return { kind: 'call', name: token.text.toLowerCase(), of: this.#arguments() }
      return { kind: 'context', path: [token.text.toLowerCase()], computed: [] }
    }
    if (token.text !== '(') throw new Refused()
    const inner = this.#or()
    this.#must(')')
    return inner
  }

  #arguments(): readonly Expression[] {
    if (this.#take(')')) return []
    const of = [this.#or()]
    while (this.#take(',')) of.push(this.#or())
    this.#must(')')
    return of
  }

  #access(base: Expression): Expression {
    const names: string[] = []
    const computed: Expression[] = []
    for (;;) {
      if (this.#take('.')) names.push(this.#take('*') ? '*' : this.#name())
      else if (this.#take('[')) {
        const index = this.#take('*') ? undefined : this.#or()
        if (index === undefined) names.push('*')
        else if (index.kind === 'literal') names.push(String(index.value).toLowerCase())
        else {
          names.push('?')
          computed.push(index)
        }
        this.#must(']')
      } else break
    }
    if (names.length === 0) return base
    if (base.kind === 'context') return { kind: 'context', path: [...base.path, ...names], computed }
    return { kind: 'part', of: [base, ...computed] }
  }

  #name(): string {
    const token = this.#tokens[this.#at]
    if (token?.kind !== 'name') throw new Refused()
    this.#at += 1
    return token.text.toLowerCase()
  }

  #sign(): string {
    const token = this.#tokens[this.#at]
    return token?.kind === 'sign' ? token.text : ''
  }

  #take(sign: string): boolean {
    const there = this.#sign() === sign
    if (there) this.#at += 1
    return there
  }

  #must(sign: string): void {
    if (!this.#take(sign)) throw new Refused()
  }
}
