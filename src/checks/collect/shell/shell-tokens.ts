import { forEachChild, type AndOr, type Command, type If, type ParsedScript, type SyntaxNode } from 'unbash'
import type { Found, TokenUse } from './install-scripts.ts'
import { parseScript } from './parse.ts'
import type { Parsed, SourceFile, Spot } from '../source-file.ts'

/** Variables that people keep tokens of code hosts in. */
export const tokenName = /^(?:GITHUB|GH|GITLAB|GITEA)_(?:[A-Z]+_)*(?:TOKEN|PAT)$/
const depthMax = 300

/** What a shell script does with a token. */
export function shellTokenUse(file: SourceFile): Parsed<TokenUse> {
  let script: ParsedScript
  try {
    script = parseScript(file.text)
  } catch {
    return { file, unreadable: { offset: 0, why: 'It is nested too deeply.' } }
  }
  const [error] = script.errors ?? []
  if (error !== undefined)
    return { file, unreadable: { offset: error.pos, why: `A shell refuses it: ${error.message}.` } }
  const reader = new Reader(file)
  reader.learn(script, 0)
  reader.visit(script, { guarded: false, inFunction: false, scope: { left: false } }, 0)
  return { file, value: reader.use() }
}

interface Around {
  /** It was asked before whether there is a token. */
  readonly guarded: boolean
  readonly inFunction: boolean
  /** Of the function, or the script. */
  readonly scope: { left: boolean }
}

class Reader {
  readonly #file: SourceFile
  readonly #tokens = new Set<string>()
  readonly #assigned = new Set<string>()
  readonly #demands: Found[] = []
  readonly #sends: Found[] = []
  readonly #shows: Spot[] = []
  #strict = false
  #first: Spot | undefined
  #readsScopes = false
  #namesBroad = false

  constructor(file: SourceFile) {
    this.#file = file
    this.#strict = /^#!.*\s-[a-z]*u/.test(file.text.slice(0, 100))
  }

  use(): TokenUse {
    return {
      file: this.#file,
      language: 'shell',
      demands: this.#demands,
      sends: this.#sends,
      shows: this.#shows,
      readsScopes: this.#readsScopes,
      namesBroad: this.#namesBroad,
      ...(this.#first === undefined ? {} : { first: this.#first }),
    }
  }

  /** Which variables hold the token, what is set, and whether an unset one ends the script. */
  learn(node: SyntaxNode, depth: number): void {
    if (depth > depthMax || isForeign(node)) return
    if (node.type === 'Assignment') {
      this.#assigned.add(node.name)
      if (this.#mentions(node.value, 0)) this.#tokens.add(node.name)
    }
    if (node.type === 'Command' && node.name?.value === 'set') {
      const words = node.suffix.flatMap((each) => (each.type === 'Word' ? [each.value] : []))
      if (words.some((word) => /^-[a-z]*u/.test(word) || word === 'nounset')) this.#strict = true
    }
    forEachChild(node, (child) => this.learn(child, depth + 1))
  }

  visit(node: SyntaxNode, around: Around, depth: number): void {
    if (depth > depthMax || isForeign(node)) return
    if (node.type === 'If') return this.#if(node, around, depth)
    if (node.type === 'AndOr') return this.#andOr(node, around, depth)
    if (node.type === 'Function')
      return this.#inner(node, { ...around, inFunction: true, scope: { left: false } }, depth)
    if (node.type === 'Case')
      return this.#inner(node, { ...around, guarded: around.guarded || this.#mentions(node.word, 0) }, depth)
    if (node.type === 'Command') this.#command(node, around)
    else if (node.type === 'Word') this.#word(node.value)
    else if (node.type === 'HereDocBody') this.#word(node.text)
    else if (node.type === 'SimpleExpansion' || node.type === 'ParameterExpansion') this.#expansion(node, around)
    return this.#inner(node, around, depth)
  }

  #if(node: If, around: Around, depth: number): void {
    const asks = this.#mentions(node.clause, 0)
    this.visit(node.clause, around, depth + 1)
    if (asks && this.#givesUp(this.#isEmptyTest(node.clause) ? node.then : node.else))
      this.#demand(node.clause.pos, node.clause.end)
    const inside = { ...around, guarded: around.guarded || asks }
    for (const part of [node.then, ...node.elif, node.else]) if (part !== undefined) this.visit(part, inside, depth + 1)
    // What follows is not reached without one.
    if (asks && leaves(this.#isEmptyTest(node.clause) ? node.then : node.else)) around.scope.left = true
  }

  #andOr(node: AndOr, around: Around, depth: number): void {
    let inside = around
    for (const [at, each] of node.commands.entries()) {
      this.visit(each, inside, depth + 1)
      const next = node.commands[at + 1]
      if (!this.#mentions(each, 0)) continue
      inside = { ...inside, guarded: true }
      const onEmpty = node.operators[at] === (this.#isEmptyTest(each) ? '&&' : '||')
      if (next === undefined || !onEmpty || !isTest(each)) continue
      if (this.#givesUp(next)) this.#demand(each.pos, each.end)
      if (leaves(next)) around.scope.left = true
    }
  }

  #inner(node: SyntaxNode, around: Around, depth: number): void {
    forEachChild(node, (child) => this.visit(child, around, depth + 1))
  }

  #word(text: string): void {
    // `[Xx]-[Oo]auth-Scopes` of a tool that minds the case.
    const plain = text.replaceAll(/\[(\w)\w\]/g, '$1')
    if (/x-oauth-scopes/i.test(plain)) this.#readsScopes = true
    if (/\b(?:repo|delete_repo)\b|admin:/.test(text)) this.#namesBroad = true
  }

  #expansion(node: Extract<SyntaxNode, { type: 'SimpleExpansion' | 'ParameterExpansion' }>, around: Around): void {
    const name = node.type === 'SimpleExpansion' ? node.text.slice(1) : node.parameter
    if (!this.#isToken(name)) return
    const spot = this.#spot(node.pos, node.end)
    this.#first ??= spot
    const operation = node.type === 'ParameterExpansion' ? node.operation : undefined
    const operator = operation?.type === 'Default' ? operation.operator : ''
    if (operator.endsWith('?')) this.#demands.push({ spot })
    else if (this.#strict && operation === undefined && !around.guarded && !this.#assigned.has(name))
      this.#demands.push(around.inFunction ? { spot, likely: true } : { spot })
  }

  #command(node: Command, around: Around): void {
    const program = node.name?.value.split('/').at(-1) ?? ''
    if (program !== 'curl' && program !== 'wget') return
    for (const word of node.suffix) {
      if (word.type !== 'Word' || !this.#mentions(word, 0)) continue
      const spot = this.#spot(word.pos, word.end)
      this.#shows.push(spot)
      const only = /\$\{[A-Za-z_]\w*:?\+/.test(word.text)
      if (!around.guarded && !around.scope.left && !only)
        this.#sends.push(around.inFunction ? { spot, likely: true } : { spot })
    }
  }

  #mentions(node: SyntaxNode, depth: number): boolean {
    if (depth > depthMax) return false
    if (node.type === 'SimpleExpansion' && this.#isToken(node.text.slice(1))) return true
    if (node.type === 'ParameterExpansion' && this.#isToken(node.parameter)) return true
    let found = false
    forEachChild(node, (child) => {
      found ||= this.#mentions(child, depth + 1)
    })
    return found
  }

  #isToken(name: string): boolean {
    return tokenName.test(name) || this.#tokens.has(name)
  }

  // `[ -z "$T" ]`; the opposite of it otherwise.
  #isEmptyTest(node: SyntaxNode): boolean {
    const text = this.#file.text.slice(node.pos, node.end)
    return /(?:^|\s)-z\s/.test(text) !== /(?:^|\s)!\s/.test(text) || /\s==?\s*(?:""|'')/.test(text)
  }

  #givesUp(node: SyntaxNode | undefined): boolean {
    if (node === undefined) return false
    if (node.type === 'Command') {
      const name = node.name?.value ?? ''
      const [first] = node.suffix
      const status = first?.type === 'Word' ? first.value : '1'
      if (name === 'exit' || name === 'return') return status !== '0'
      return /^(?:die|fail|abort|fatal|bail|panic)$/.test(name)
    }
    if (node.type === 'Function' || node.type === 'If') return false
    let found = false
    forEachChild(node, (child) => {
      found ||= this.#givesUp(child)
    })
    return found
  }

  #demand(start: number, end: number): void {
    this.#demands.push({ spot: this.#spot(start, end) })
  }

  #spot(start: number, end: number): Spot {
    return { file: this.#file, start, end }
  }
}

function leaves(node: SyntaxNode | undefined): boolean {
  if (node === undefined || node.type === 'Function' || node.type === 'If') return false
  if (node.type === 'Command') return /^(?:exit|return|die|fail|abort|fatal|bail|panic)$/.test(node.name?.value ?? '')
  let found = false
  forEachChild(node, (child) => {
    found ||= leaves(child)
  })
  return found
}

function isTest(node: SyntaxNode): boolean {
  return node.type === 'TestCommand' || (node.type === 'Command' && /^(?:\[|test|\[\[)$/.test(node.name?.value ?? ''))
}

// Positions in a substitution with escaped backticks count in a text of its own.
function isForeign(node: SyntaxNode): boolean {
  return node.type === 'Script' && node.source !== undefined
}
