import type { Found, TokenUse } from './install-scripts.ts'
import { tokenName } from './shell-tokens.ts'
import type { Parsed, SourceFile, Spot } from '../source-file.ts'

interface Token {
  readonly kind: 'word' | 'string' | 'variable' | 'mark'
  readonly text: string
  readonly start: number
  readonly end: number
}

/**
 * What a PowerShell script does with a token, as far as its words tell: comments and strings are told apart, the grammar is not read.
 */
export function powershellTokenUse(file: SourceFile): Parsed<TokenUse> {
  const tokens = tokensOf(file.text)
  if (typeof tokens === 'number')
    return { file, unreadable: { offset: tokens, why: 'A string or comment has no end.' } }
  const spot = ({ start, end }: Token): Spot => ({ file, start, end })
  const names = aliasesOf(tokens)
  const holds = ({ kind, text }: Token): boolean =>
    (kind === 'variable' && names.has(text.toLowerCase())) ||
    (kind === 'string' && text.startsWith('"') && [...names].some((name) => text.toLowerCase().includes(name)))
  const first = tokens.find(holds)
  const demands: Found[] = []
  const sends: Found[] = []
  let asked = false
  for (const [at, token] of tokens.entries()) {
    const text = token.text.toLowerCase()
    if (token.kind === 'word' && (text === 'if' || text === 'elseif')) {
      const condition = between(tokens, at + 1, '(', ')')
      if (!condition.some(holds)) continue
      asked = true
      const negated = condition.some(({ text: word }) => /^(?:-not|!|isnullorempty|isnullorwhitespace)$/i.test(word))
      const body = between(tokens, at + 1 + condition.length, '{', '}')
      if (negated && body.some(({ kind, text: word }) => kind === 'word' && /^(?:throw|exit)$/i.test(word)))
        demands.push({ spot: spot(token), likely: true })
    }
    if (token.kind === 'word' && text === 'mandatory') {
      const named = tokens
        .slice(at, at + 12)
        .find(({ kind, text: name }) => kind === 'variable' && /token|pat\b/i.test(name))
      if (named !== undefined) demands.push({ spot: spot(named), likely: true })
    }
    if (!asked && token.kind === 'string' && /bearer|token /i.test(token.text) && holds(token))
      sends.push({ spot: spot(token), likely: true })
  }
  const strings = tokens.filter(({ kind }) => kind === 'string' || kind === 'word')
  const value: TokenUse = {
    file,
    language: 'powershell',
    demands,
    sends,
    shows: [],
    readsScopes: strings.some(({ text }) => /x-oauth-scopes/i.test(text)),
    namesBroad: strings.some(({ text }) => /\b(?:repo|delete_repo)\b|admin:/.test(text)),
    ...(first === undefined ? {} : { first: spot(first) }),
  }
  return { file, value }
}

// `$env:GITHUB_TOKEN`, and variables that are set to it.
function aliasesOf(tokens: readonly Token[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const { kind, text } of tokens)
    if (
      kind === 'variable' &&
      tokenName.test(
        text
          .replace(/^\$\{?(?:env:)?/i, '')
          .replace('}', '')
          .toUpperCase(),
      )
    )
      names.add(text.toLowerCase())
  for (const [at, { kind, text }] of tokens.entries()) {
    const value = tokens[at + 2]
    if (names.size > namesMax) break
    if (
      kind === 'variable' &&
      tokens[at + 1]?.text === '=' &&
      value !== undefined &&
      names.has(value.text.toLowerCase())
    )
      names.add(text.toLowerCase())
  }
  return names
}

// With its brackets; empty where there are none.
function between(tokens: readonly Token[], from: number, open: string, close: string): readonly Token[] {
  if (tokens[from]?.text !== open) return []
  let depth = 0
  const last = Math.min(tokens.length, from + bracketTokensMax)
  for (let at = from; at < last; at += 1) {
    if (tokens[at]?.text === open) depth += 1
    else if (tokens[at]?.text === close) depth -= 1
    if (depth === 0) return tokens.slice(from, at + 1)
  }
  return tokens.slice(from, last)
}

/** The tokens, or where one begins that has no end. */
function tokensOf(text: string): readonly Token[] | number {
  const tokens: Token[] = []
  let at = 0
  while (at < text.length) {
    const start = at
    const end = endOf(text, at)
    if (end === undefined) return start
    at = end
    const written = text.slice(start, end)
    const kind = kindOf(written)
    if (kind !== undefined) tokens.push({ kind, text: written, start, end })
  }
  return tokens
}

function kindOf(text: string): Token['kind'] | undefined {
  if (/^\s|^#|^<#/.test(text)) return undefined
  if (/^(?:["']|@["'])/.test(text)) return 'string'
  if (/^\$[\w{]/.test(text)) return 'variable'
  return /^-?\w/.test(text) ? 'word' : 'mark'
}

const namesMax = 50
const bracketTokensMax = 200
const plain = /\s+|\$\{[^}\n]{0,60}\}|\$[\w:]+|-?\w[\w-]*|[^]/y

function endOf(text: string, at: number): number | undefined {
  if (text.startsWith('<#', at)) return after(text, '#>', at + 2)
  if (text[at] === '#') return after(text, '\n', at) ?? text.length
  if (/^@["']\r?\n/.test(text.slice(at, at + 4))) return after(text, `\n${text[at + 1] ?? ''}@`, at + 2)
  const quote = text[at]
  if (quote === '"' || quote === "'") return endOfString(text, at, quote)
  plain.lastIndex = at
  return plain.test(text) ? plain.lastIndex : at + 1
}

// A quote that is doubled, or in double quotes behind a backtick, stands for itself.
function endOfString(text: string, from: number, quote: string): number | undefined {
  for (let at = from + 1; at < text.length; at += 1) {
    if (quote === '"' && text[at] === '`') at += 1
    else if (text[at] === quote) {
      if (text[at + 1] !== quote) return at + 1
      at += 1
    }
  }
  return undefined
}

function after(text: string, what: string, from: number): number | undefined {
  const at = text.indexOf(what, from)
  return at === -1 ? undefined : at + what.length
}
