import type { SourceFile, Spot } from '../source-file.ts'
import { Unreadable } from '../unreadable.ts'
import { fillEnvironment } from './environment.ts'
import { lexCaddyfile, type Token } from './lexer.ts'

/** A word with where it stands: words of a snippet stand in the snippet, wherever it is imported. */
export interface Word extends Spot {
  readonly text: string
  readonly quoted: boolean
}

/** One line of a block with the block behind it. */
export interface Directive extends Spot {
  readonly name: Word
  readonly args: readonly Word[]
  /** Undefined without braces. */
  readonly block?: readonly Directive[]
}

export interface Site {
  readonly addresses: readonly Word[]
  readonly directives: readonly Directive[]
}

export interface CaddyStructure {
  readonly file: SourceFile
  /** The block of global options. */
  readonly options: readonly Directive[]
  readonly sites: readonly Site[]
  /** Imports of files that are not here. */
  readonly unseen: readonly Spot[]
  /** Lines that a variable of the environment brings in: none of them is in the structure. */
  readonly variables: readonly Spot[]
}

/** A word while it is read: whether it starts a line is told by its source and its line. */
interface Placed extends Word {
  readonly source: object
  readonly line: number
  readonly lastLine: number
}

/** Gives the files that an import names: undefined where it matches none. */
export type Importer = (from: string, pattern: string) => readonly SourceFile[]

const wordsMax = 200_000
const importsMax = 2000
const depthMax = 64

/** Reads a Caddyfile, with its snippets and imports put in; throws {@link Unreadable}. */
export function structureOf(file: SourceFile, importer: Importer): CaddyStructure {
  const reader = new Reader(placedWords(file), importer)
  const blocks = reader.blocks()
  const [first] = blocks
  const options = first !== undefined && first.addresses.length === 0 ? first.directives : []
  const sites = blocks.filter(({ addresses }) => addresses.length > 0)
  return { file, options, sites, unseen: reader.unseen, variables: reader.variables }
}

function placedWords(file: SourceFile): Placed[] {
  const filled = fillEnvironment(file.text)
  const source = {}
  return lexCaddyfile(filled.text).map(({ text, start, end, line, lines, quote }: Token) => ({
    file,
    text,
    start: filled.origin(start),
    end: filled.origin(end),
    quoted: quote !== '',
    source,
    line,
    lastLine: line + lines,
  }))
}

class Reader {
  readonly unseen: Spot[] = []
  readonly variables: Spot[] = []
  readonly #words: Placed[]
  readonly #importer: Importer
  readonly #snippets = new Map<string, readonly Placed[]>()
  readonly #read = new Map<SourceFile, readonly Placed[]>()
  #at = 0
  #imports = 0
  #brought = 0

  constructor(words: Placed[], importer: Importer) {
    // Read from the end, so that what an import brings is put in without moving the rest.
    this.#words = words.toReversed()
    this.#importer = importer
  }

  blocks(): readonly Site[] {
    const sites: Site[] = []
    while (this.#words.length > 0) {
      const { addresses, braced } = this.#addresses()
      const [only] = addresses
      if (addresses.length === 1 && only !== undefined && /^&?\(.*\)$/.test(only.text)) {
        this.#define(only, braced)
        continue
      }
      if (addresses.length === 0 && !braced) break
      if (addresses.length === 0 && sites.length > 0)
        throw new Unreadable(this.#at, 'A block without an address is the global options, which come first.')
      const directives = this.#directives(braced, 0)
      sites.push({ addresses, directives })
      // Without braces, the rest of the file is the one site.
      if (!braced && this.#words.length > 0) throw new Unreadable(this.#at, 'A closing brace without an opening one.')
    }
    return sites
  }

  #addresses(): { readonly addresses: readonly Word[]; readonly braced: boolean } {
    const addresses: Word[] = []
    let another = false
    for (;;) {
      const word = this.#take()
      if (word === undefined) {
        if (another) throw new Unreadable(this.#at, 'Another address is expected after the comma.')
        return { addresses, braced: false }
      }
      if (word.text.startsWith('@') && !word.quoted)
        throw new Unreadable(word.start, 'A matcher belongs into a site, not beside it.')
      if (word.text === 'import' && !word.quoted) {
        this.#import(word, this.#restOfLine(word))
        if (this.#words.length === 0) return { addresses, braced: false }
        continue
      }
      if (addresses.length === 0 && this.#isLineOfEnvironment(word)) continue
      if (word.text === '{' && !word.quoted) {
        if (another) throw new Unreadable(word.start, 'Another address is expected after the comma.')
        return { addresses, braced: true }
      }
      if (word.text === '}' && !word.quoted) throw new Unreadable(word.start, 'A closing brace without an opening one.')
      if (word.text.length > 1 && word.text.endsWith('{') && !word.quoted)
        throw new Unreadable(word.start, 'An address ends in a brace: put a space in front of it.')
      another = word.text.endsWith(',')
      const text = another ? word.text.slice(0, -1) : word.text
      // Addresses are also parted by commas without spaces.
      if (text !== '') for (const part of partsOf(word, text)) addresses.push(part)
      const next = this.#words.at(-1)
      if (next !== undefined && !another && startsLine(next, word)) return { addresses, braced: false }
    }
  }

  #define(name: Word, braced: boolean): void {
    if (!braced) throw new Unreadable(name.start, 'A snippet needs a block.')
    if (this.#snippets.has(name.text)) throw new Unreadable(name.start, `The snippet ${name.text} is defined twice.`)
    const words: Placed[] = []
    let depth = 1
    for (;;) {
      const word = this.#take()
      if (word === undefined) throw new Unreadable(name.start, 'The snippet is never closed.')
      if (!word.quoted && word.text === '{') depth += 1
      if (!word.quoted && word.text === '}') {
        depth -= 1
        if (depth === 0) break
      }
      words.push(word)
    }
    this.#snippets.set(name.text, words)
  }

  // A quoted brace is text.
  #directives(braced: boolean, depth: number): readonly Directive[] {
    if (depth > depthMax) throw new Unreadable(this.#at, 'It is nested too deeply.')
    const directives: Directive[] = []
    for (;;) {
      const name = this.#take()
      if (name === undefined) {
        if (braced) throw new Unreadable(this.#at, 'A block is never closed.')
        return directives
      }
      if (name.text === '}' && !name.quoted) {
        if (braced) return directives
        throw new Unreadable(name.start, 'A closing brace without an opening one.')
      }
      if (name.text === 'import' && !name.quoted) {
        this.#import(name, this.#restOfLine(name))
        continue
      }
      if (name.text === '{' && !name.quoted)
        throw new Unreadable(name.start, 'An opening brace on a line of its own: it belongs to the line before.')
      if (!this.#isLineOfEnvironment(name)) directives.push(this.#directive(name, depth))
    }
  }

  // `{$EXTRA}` on a line of its own is whatever the environment says, and nothing where it says nothing.
  #isLineOfEnvironment(word: Placed): boolean {
    const next = this.#words.at(-1)
    const alone = next === undefined || startsLine(next, word)
    if (word.quoted || !alone || !/^\{\$[^{}]*\}$/.test(word.text)) return false
    this.variables.push({ file: word.file, start: word.start, end: word.end })
    return true
  }

  #directive(name: Placed, depth: number): Directive {
    const args = this.#restOfLine(name)
    const last = args.at(-1)
    const { file, start } = name
    if (last?.text !== '{' || last.quoted) {
      const stray = args.find(({ text, quoted }) => text === '}' && !quoted)
      if (stray !== undefined)
        throw new Unreadable(stray.start, 'A closing brace at the end of a line: it needs one of its own.')
      return { file, start, end: last?.file === file ? last.end : name.end, name, args }
    }
    const block = this.#directives(true, depth + 1)
    const own = args.slice(0, -1)
    const before = own.at(-1)
    return { file, start, end: before?.file === file ? before.end : name.end, name, args: own, block }
  }

  /** The words of the line of a word, up to and with an opening brace at its end. */
  #restOfLine(first: Placed): Placed[] {
    const words: Placed[] = []
    let before = first
    for (;;) {
      const next = this.#words.at(-1)
      if (next === undefined || startsLine(next, before)) return words
      this.#take()
      words.push(next)
      if (next.text === '{' && !next.quoted) {
        const after = this.#words.at(-1)
        if (after !== undefined && !startsLine(after, next))
          throw new Unreadable(after.start, 'What follows an opening brace belongs on the next line.')
        return words
      }
      before = next
    }
  }

  #take(): Placed | undefined {
    const word = this.#words.pop()
    if (word !== undefined) this.#at = word.end
    return word
  }

  #import(name: Placed, args: readonly Placed[]): void {
    this.#imports += 1
    const [what, ...given] = args
    if (what === undefined) throw new Unreadable(name.start, 'An import needs the name of a snippet or of a file.')
    const block = given.at(-1)?.text === '{' && !given.at(-1)?.quoted ? this.#blockWords(name) : []
    const values = block.length > 0 || given.at(-1)?.text === '{' ? given.slice(0, -1) : given
    const snippet = this.#snippets.get(`(${what.text})`)
    const words = snippet ?? this.#filesOf(what)
    this.#brought += words.length
    if (this.#imports > importsMax || this.#brought > wordsMax)
      throw new Unreadable(name.start, 'Its imports bring in too much, or themselves.')
    // Each import starts lines of its own.
    const sources = new Map<object, object>()
    const put = words.flatMap((word) => {
      if (/^\{blocks?(?:\.[^}]*)?\}$/.test(word.text)) return block
      const source = sources.get(word.source) ?? {}
      sources.set(word.source, source)
      return [{ ...withArguments(word, values), source }]
    })
    for (const word of put.toReversed()) this.#words.push(word)
  }

  #blockWords(name: Placed): readonly Placed[] {
    const words: Placed[] = []
    for (let depth = 1; ;) {
      const word = this.#take()
      if (word === undefined) throw new Unreadable(name.start, 'The block of an import is never closed.')
      if (!word.quoted && word.text === '{') depth += 1
      if (!word.quoted && word.text === '}') depth -= 1
      if (depth === 0) return words
      words.push(word)
    }
  }

  #wordsOf(file: SourceFile): readonly Placed[] {
    const known = this.#read.get(file) ?? placedWords(file)
    this.#read.set(file, known)
    return known
  }

  #filesOf(what: Placed): readonly Placed[] {
    const files = this.#importer(what.file.path, what.text)
    if (files.length === 0) this.unseen.push({ file: what.file, start: what.start, end: what.end })
    return files.flatMap((file) => this.#wordsOf(file))
  }
}

function startsLine(word: Placed, before: Placed): boolean {
  return word.source !== before.source || word.line !== before.lastLine
}

function partsOf(word: Word, text: string): readonly Word[] {
  return text.split(',').flatMap((part) => (part === '' ? [] : [{ ...word, text: part }]))
}

function withArguments(word: Placed, values: readonly Placed[]): Placed {
  if (!word.text.includes('{args')) return word
  const text = word.text.replaceAll(
    /\{args[.[](\d{1,3})\]?\}/g,
    (whole, index: string) => values[Number(index)]?.text ?? whole,
  )
  return { ...word, text }
}
