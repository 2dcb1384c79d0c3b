import type { Parsed, SourceFile, Spot } from '../source-file.ts'
import { guarded, Unreadable } from '../unreadable.ts'
import { tokensOf, type Token } from './tokens.ts'

/** A .proto file, as far as messages, fields and services go. */
export interface ProtoFile {
  readonly file: SourceFile
  readonly package: string
  readonly messages: readonly ProtoMessage[]
  readonly services: readonly ProtoService[]
}

export interface ProtoMessage {
  /** With package and messages around it. */
  readonly name: string
  readonly fields: readonly ProtoField[]
}

export interface ProtoField {
  readonly name: string
  /** As it is written; for a map that of its values. */
  readonly type: TypeName
}

export interface TypeName {
  readonly text: string
  readonly spot: Spot
}

export interface ProtoService {
  readonly name: string
  readonly methods: readonly ProtoMethod[]
}

export interface ProtoMethod {
  readonly name: string
  readonly spot: Spot
  readonly input: TypeName
  /** Its options: the name with its parentheses, and the words and symbols of the value. */
  readonly options: readonly { readonly name: string; readonly value: readonly string[] }[]
}

const depthMax = 64
const labels = new Set(['optional', 'required', 'repeated'])

export function parseProto(file: SourceFile): Parsed<ProtoFile> {
  return guarded(file, () => new Reader(file).file())
}

class Reader {
  readonly #file: SourceFile
  readonly #tokens: readonly Token[]
  readonly #messages: ProtoMessage[] = []
  readonly #services: ProtoService[] = []
  #package = ''
  #at = 0

  constructor(file: SourceFile) {
    this.#file = file
    this.#tokens = tokensOf(file.text)
  }

  file(): ProtoFile {
    while (this.#peek().kind !== 'end') this.#topLevel()
    return { file: this.#file, package: this.#package, messages: this.#messages, services: this.#services }
  }

  #topLevel(): void {
    const token = this.#next()
    switch (token.text) {
      case ';':
        return
      case 'package':
        this.#package = this.#dotted().text
        this.#expect(';')
        return
      case 'message':
        return this.#message(this.#package, 0)
      case 'service':
        return this.#service()
      case 'enum':
        return this.#enum(this.#package)
      case 'extend':
        this.#dotted()
        return this.#block()
      case 'syntax':
      case 'edition':
      case 'import':
      case 'option':
        this.#statement()
        return
      default:
        throw this.#unexpected(token)
    }
  }

  #message(scope: string, depth: number): void {
    const name = joined(scope, this.#word().text)
    const fields: ProtoField[] = []
    this.#messages.push({ name, fields })
    this.#expect('{')
    this.#members(name, fields, depth)
  }

  #members(scope: string, fields: ProtoField[], depth: number): void {
    if (depth > depthMax) throw new Unreadable(this.#peek().start, 'It is nested too deeply.')
    for (;;) {
      const token = this.#next()
      if (token.text === '}' && token.kind === 'symbol') return
      if (token.kind === 'symbol' && token.text === ';') continue
      const [first, second] = [this.#peek(), this.#peek(1)]
      // A field may be named, and a type too, as the words that begin something else.
      const isBlock = first.kind === 'word' && second.text === '{'
      if (token.text === 'message' && isBlock) this.#message(scope, depth + 1)
      else if (token.text === 'enum' && isBlock) this.#enum(scope)
      else if (token.text === 'oneof' && isBlock) {
        this.#word()
        this.#expect('{')
        this.#members(scope, fields, depth + 1)
      } else if (token.text === 'extend' && first.text !== '=') {
        this.#dotted()
        this.#block()
      } else if (['option', 'reserved', 'extensions'].includes(token.text)) this.#statement()
      else this.#field(token, scope, fields, depth)
    }
  }

  #field(first: Token, scope: string, fields: ProtoField[], depth: number): void {
    let token = first
    if (labels.has(token.text) && this.#peek(1).text !== '=') token = this.#next()
    if (token.text === 'group' && this.#peek(1).text === '=') {
      // A message of its own, named as the field (proto2).
      const name = this.#word()
      while (this.#peek().text !== '{') this.#next()
      this.#expect('{')
      const inner: ProtoField[] = []
      fields.push({ name: name.text.toLowerCase(), type: { text: name.text, spot: this.#spot(name, name) } })
      this.#messages.push({ name: joined(scope, name.text), fields: inner })
      return this.#members(joined(scope, name.text), inner, depth + 1)
    }
    let type: TypeName
    if (token.text === 'map' && this.#peek().text === '<') {
      this.#expect('<')
      this.#dotted()
      this.#expect(',')
      type = this.#dotted()
      this.#expect('>')
    } else type = this.#dotted(token)
    const name = this.#word()
    this.#expect('=')
    this.#statement()
    fields.push({ name: name.text, type })
  }

  /** An enum is a type that holds nothing. */
  #enum(scope: string): void {
    this.#messages.push({ name: joined(scope, this.#word().text), fields: [] })
    this.#block()
  }

  #service(): void {
    const name = joined(this.#package, this.#word().text)
    const methods: ProtoMethod[] = []
    this.#services.push({ name, methods })
    this.#expect('{')
    for (;;) {
      const token = this.#next()
      if (token.text === '}') return
      if (token.text === ';') continue
      if (token.text === 'option') this.#statement()
      else if (token.text === 'rpc') methods.push(this.#method())
      else throw this.#unexpected(token)
    }
  }

  #method(): ProtoMethod {
    const name = this.#word()
    const input = this.#parameter()
    const returns = this.#next()
    if (returns.text !== 'returns') throw this.#unexpected(returns)
    this.#parameter()
    const options: { name: string; value: readonly string[] }[] = []
    const end = this.#next()
    if (end.text === '{') {
      for (let token = this.#next(); token.text !== '}'; token = this.#next()) {
        if (token.text === 'option') options.push(this.#option())
        else if (token.text !== ';') throw this.#unexpected(token)
      }
    } else if (end.text !== ';') throw this.#unexpected(end)
    return { name: name.text, spot: this.#spot(name, name), input, options }
  }

  #parameter(): TypeName {
    this.#expect('(')
    // `stream` may be the name of a message, too.
    if (this.#peek().text === 'stream' && this.#peek(1).text !== ')' && this.#peek(1).text !== '.') this.#next()
    const type = this.#dotted()
    this.#expect(')')
    return type
  }

  #option(): { name: string; value: readonly string[] } {
    let name = ''
    while (this.#peek().text !== '=') name += this.#next().text
    this.#expect('=')
    return { name, value: this.#statement() }
  }

  /** Everything up to the semicolon, braces and brackets closed; of that, the texts of the tokens. */
  #statement(): readonly string[] {
    const texts: string[] = []
    let depth = 0
    for (;;) {
      const token = this.#next()
      if (token.kind === 'symbol') {
        if (token.text === ';' && depth === 0) return texts
        if ('{[('.includes(token.text)) depth += 1
        else if ('}])'.includes(token.text)) depth -= 1
        if (depth < 0) throw this.#unexpected(token)
      }
      texts.push(token.text)
    }
  }

  #block(): void {
    this.#expect('{')
    for (let depth = 1; depth > 0;) {
      const token = this.#next()
      if (token.kind !== 'symbol') continue
      if (token.text === '{') depth += 1
      else if (token.text === '}') depth -= 1
    }
  }

  #dotted(begun?: Token): TypeName {
    const first = begun ?? this.#next()
    let last = first
    let text = first.text
    if (first.text === '.') {
      last = this.#word()
      text += last.text
    } else if (first.kind !== 'word') throw this.#unexpected(first)
    while (this.#peek().text === '.') {
      this.#next()
      last = this.#word()
      text += `.${last.text}`
    }
    return { text, spot: this.#spot(first, last) }
  }

  #word(): Token {
    const token = this.#next()
    if (token.kind !== 'word') throw this.#unexpected(token)
    return token
  }

  #expect(text: string): void {
    const token = this.#next()
    if (token.text !== text || token.kind !== 'symbol') throw this.#unexpected(token)
  }

  #peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token
  }

  #next(): Token {
    const token = this.#peek()
    if (token.kind === 'end') throw new Unreadable(token.start, 'The file ends in the middle of something.')
    this.#at += 1
    return token
  }

  #unexpected({ text, start }: Token): Unreadable {
    return new Unreadable(start, `Nothing of a .proto file begins with "${text.slice(0, 40)}" here.`)
  }

  #spot(first: Token, last: Token): Spot {
    return { file: this.#file, start: first.start, end: last.end }
  }
}

function joined(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`
}
