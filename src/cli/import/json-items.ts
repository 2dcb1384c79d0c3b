/** One value of the document: an item of a list at its top, or a value that is no list. */
export interface Item {
  readonly section: string
  /** Undefined where the section is not a list. */
  readonly index: number | undefined
  /** Its JSON text; undefined where it is longer than may be held. */
  readonly text: string | undefined
}

export const itemBytesMax = 1024 * 1024
const keyBytesMax = 1024

/** What is wrong with the document as a whole. */
export class NotADocument extends Error {}

/**
 * The items of a JSON object of lists, one at a time: of a file of any size, one item is in memory. An object under a name in `around`
 * is looked into as if it were the document. Each text is JSON only if it parses: who reads it finds out.
 */
export async function* itemsOf(chunks: AsyncIterable<Uint8Array>, around: ReadonlySet<string>): AsyncGenerator<Item> {
  const reader = new Reader(chunks[Symbol.asyncIterator]())
  await reader.expect('{')
  yield* membersOf(reader, around)
  await reader.expectEnd()
}

/** The members of an object whose brace was read, and the brace that closes it. */
async function* membersOf(reader: Reader, around: ReadonlySet<string>): AsyncGenerator<Item> {
  if (await reader.takes('}')) return
  do {
    const section = await reader.key()
    await reader.expect(':')
    const next = await reader.peek()
    if (next === '[') yield* listOf(reader, section)
    else if (next === '{' && around.has(section)) {
      await reader.expect('{')
      yield* membersOf(reader, around)
    } else yield { section, index: undefined, text: await reader.value(itemBytesMax) }
  } while (await reader.takes(','))
  await reader.expect('}')
}

async function* listOf(reader: Reader, section: string): AsyncGenerator<Item> {
  await reader.expect('[')
  if (await reader.takes(']')) return
  let index = 0
  do {
    yield { section, index, text: await reader.value(itemBytesMax) }
    index += 1
  } while (await reader.takes(','))
  await reader.expect(']')
}

const quote = 0x22
const backslash = 0x5c
const opening: ReadonlySet<number> = new Set(Buffer.from('{['))
const closing: ReadonlySet<number> = new Set(Buffer.from('}]'))
const blank: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n'))
const ends: ReadonlySet<number> = new Set(Buffer.from(' \t\r\n,}]'))

/** Reads bytes as they come. All that it looks for is ASCII, which no byte of another character is in UTF-8. */
class Reader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array()
  #at = 0
  /** Of the chunk in the file. */
  #offset = 0

  constructor(chunks: AsyncIterator<Uint8Array>) {
    this.#chunks = chunks
  }

  /** The next character that is not blank, which is still to be read; undefined at the end. */
  async peek(): Promise<string | undefined> {
    for (;;) {
      while (this.#at < this.#chunk.length) {
        const byte = this.#chunk[this.#at] ?? 0
        if (!blank.has(byte)) return String.fromCharCode(byte)
        this.#at += 1
      }
      if (!(await this.#more())) return undefined
    }
  }

  async takes(char: string): Promise<boolean> {
    if ((await this.peek()) !== char) return false
    this.#at += 1
    return true
  }

  async expect(char: string): Promise<void> {
    if (await this.takes(char)) return
    throw this.#wrong(`${char} is missing`)
  }

  async expectEnd(): Promise<void> {
    if ((await this.peek()) !== undefined) throw this.#wrong('there is more after the document')
  }

  async key(): Promise<string> {
    if ((await this.peek()) !== '"') throw this.#wrong('a name in quotes is missing')
    const text = await this.value(keyBytesMax)
    try {
      return String(JSON.parse(text ?? ''))
    } catch {
      throw this.#wrong('a name is not text')
    }
  }

  /** The text of the value that begins here; what is longer than `bytesMax` is read over. */
  async value(bytesMax: number): Promise<string | undefined> {
    if ((await this.peek()) === undefined) throw this.#wrong('a value is missing')
    const kept: Uint8Array[] = []
    let length = 0
    let depth = 0
    let quoted = false
    let escaped = false
    let over = false
    while (!over) {
      const from = this.#at
      while (!over && this.#at < this.#chunk.length) {
        const byte = this.#chunk[this.#at] ?? 0
        if (quoted) {
          if (escaped) escaped = false
          else if (byte === backslash) escaped = true
          else if (byte === quote) {
            quoted = false
            over = depth === 0
          }
        } else if (byte === quote) quoted = true
        else if (opening.has(byte)) depth += 1
        else if (closing.has(byte) && depth > 0) {
          depth -= 1
          over = depth === 0
        } else if (depth === 0 && ends.has(byte)) {
          over = true
          break
        }
        this.#at += 1
      }
      length += this.#at - from
      if (length <= bytesMax) kept.push(this.#chunk.slice(from, this.#at))
      if (!over && !(await this.#more())) {
        if (depth > 0 || quoted) throw this.#wrong('the document ends in the middle')
        over = true
      }
    }
    return length <= bytesMax ? Buffer.concat(kept).toString('utf8') : undefined
  }

  async #more(): Promise<boolean> {
    this.#offset += this.#chunk.length
    this.#at = 0
    const { value, done } = await this.#chunks.next()
    this.#chunk = done === true ? new Uint8Array() : value
    return done !== true
  }

  #wrong(why: string): NotADocument {
    return new NotADocument(`${why} at byte ${this.#offset + this.#at}`)
  }
}
