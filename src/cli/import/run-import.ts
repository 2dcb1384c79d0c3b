import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import * as z from 'zod'
import type { Client } from '../client.ts'
import { CliError, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { BadItem, ItemFields, snake } from './fields.ts'
import type { Journal } from './journal.ts'
import { itemsOf, itemBytesMax, NotADocument, type Item } from './json-items.ts'
import { endOf, mappers, sectionNames, type MapContext, type Made } from './modeloman.ts'

export interface ImportOptions {
  readonly file: string
  readonly dryRun: boolean
  readonly withPolicy: boolean
  readonly qualityMax: number
}

export interface SectionCount {
  found: number
  imported: number
  /** Done by an earlier import of the same file. */
  already: number
  skipped: number
}

export interface Imported {
  readonly file: string
  /** SHA-256 of the file, in hex. */
  readonly digest: string
  readonly dryRun: boolean
  readonly sections: Readonly<Record<string, SectionCount>>
  /** Fields that have no place here, as `tasks[].created_at`, and how many items had them. */
  readonly leftOut: Readonly<Record<string, number>>
  readonly rounded: Readonly<Record<string, number>>
  /** The first 1000 items that were skipped. */
  readonly problems: readonly { readonly path: string; readonly why: string }[]
}

interface BatchItem {
  readonly index: number
  /** As JSON. */
  readonly length: number
  readonly path: string
  readonly message: object
}

const wrappers: ReadonlySet<string> = new Set(['state', 'export', 'data'])
const batchItemsMax = 200
// Half of what a server takes by default.
const batchLengthMax = 512 * 1024
const problemsMax = 1000
const runsMax = 1_000_000
// What a full server or a limit is worth waiting for.
const waited: ReadonlySet<string> = new Set(['rate.limited', 'store.busy', 'idempotency.in_flight', 'outcome.unknown'])
const waitsMax = 60
const waitMs = 1000
// The item is to blame, and not the caller or the server.
const itemsOwn = /^(input\.|object\.|bounds\.message|policy\.cap|budget\.)/

const replyShape = z.record(z.string(), z.unknown())
const idShape = z.object({ id: z.string() })
const resultsShape = z.object({ results: z.array(z.object({ id: z.string(), code: z.string() })) })

/** In this order: runs before what refers to them, and limits last, so that they do not refuse what is imported. */
const passes: readonly (readonly string[])[] = [
  ['tasks', 'notes', 'changelog', 'benchmarks', 'runs'],
  ['attempts', 'run_events'],
  ['ends'],
  ['policy', 'policy_caps'],
]

/** Reads the file once for its digest and once for each pass; one item, one batch and the ids of the runs are in memory. */
export class ModeloManImport {
  readonly #options: ImportOptions
  readonly #client: Client
  readonly #io: Io
  readonly #journal: Journal | undefined
  readonly #sections = new Map<string, SectionCount>()
  readonly #leftOut = new Map<string, number>()
  readonly #rounded = new Map<string, number>()
  readonly #problems: { path: string; why: string }[] = []
  readonly #runs = new Map<string, string>()
  readonly #batches = new Map<string, BatchItem[]>()
  #digest = ''

  constructor(options: ImportOptions, client: Client, io: Io, journal: Journal | undefined) {
    this.#options = options
    this.#client = client
    this.#io = io
    this.#journal = journal
  }

  async run(): Promise<Imported> {
    this.#digest = await digestOf(this.#options.file)
    for (const pass of passes) {
      try {
        for await (const item of itemsOf(chunksOf(this.#options.file), wrappers)) await this.#take(item, pass)
      } catch (error) {
        if (!(error instanceof NotADocument)) throw error
        throw usage(
          `The file ${this.#options.file} is not an export: ${error.message}.`,
          'It is one JSON object with lists such as tasks, runs and attempts.',
        )
      }
      for (const kind of this.#batches.keys()) await this.#flush(kind)
    }
    return {
      file: this.#options.file,
      digest: this.#digest,
      dryRun: this.#options.dryRun,
      sections: Object.fromEntries(this.#sections),
      leftOut: Object.fromEntries(this.#leftOut),
      rounded: Object.fromEntries(this.#rounded),
      problems: this.#problems,
    }
  }

  async #take({ section: given, index, text }: Item, pass: readonly string[]): Promise<void> {
    const name = snake(given)
    const section = sectionNames[name] ?? name
    const path = index === undefined ? given : `${given}[${index}]`
    if (section === 'runs' && pass.includes('ends')) return this.#end(path, text)
    const mapper = Object.hasOwn(mappers, section) ? mappers[section] : undefined
    if (mapper === undefined) {
      // Said once, in the first pass.
      if (pass === passes[0]) count(this.#leftOut, index === undefined ? given : `${given}[]`)
      return
    }
    if (!pass.includes(section)) return
    const counted = this.#section(section)
    counted.found += 1
    if (section.startsWith('policy') && !this.#options.withPolicy) {
      counted.skipped += 1
      count(this.#leftOut, `${given}: say --with-policy`)
      return
    }
    const context: MapContext = { qualityMax: this.#options.qualityMax, runIdOf: (id) => this.#runs.get(id) }
    try {
      const fields = fieldsOf(text)
      const made = mapper(fields, context)
      const own = fields.text('id')
      if (section === 'runs') endOf(fields)
      for (const field of fields.leftOut()) count(this.#leftOut, `${given}[].${field}`)
      for (const field of fields.rounded) count(this.#rounded, `${given}[].${field}`)
      if (section === 'runs' && own !== '') this.#runs.set(own, `at ${path}`)
      if (this.#runs.size > runsMax) throw usage(`More than ${runsMax} runs.`, 'Split the file.')
      if (made.method.includes('/')) await this.#one(section, path, made, own)
      else
        await this.#batch(made.method, section, {
          index: index ?? 0,
          length: JSON.stringify(made.message).length,
          path,
          message: made.message,
        })
    } catch (error) {
      this.#skip(section, path, error)
    }
  }

  /** Runs end once their attempts are there. */
  async #end(path: string, text: string | undefined): Promise<void> {
    try {
      const fields = fieldsOf(text)
      const end = endOf(fields)
      const runId = this.#runs.get(fields.text('id'))
      if (end === undefined || runId === undefined || this.#options.dryRun) return
      if (this.#journal?.get(`${this.#digest} ${path}.end`) !== undefined) return
      await this.#send('HubService/FinishRun', { ...end, runId }, `${path}.end`)
      this.#journal?.add(`${this.#digest} ${path}.end`, '')
    } catch (error) {
      // A run that was bad has been named when it was to begin, and one that has ended stays as it is.
      if (error instanceof BadItem || (error instanceof CliError && error.code === 'object.state')) return
      this.#problem(`${path}.end`, error)
    }
  }

  async #one(section: string, path: string, { method, message }: Made, own: string): Promise<void> {
    const known = this.#journal?.get(`${this.#digest} ${path}`)
    if (known !== undefined) {
      this.#section(section).already += 1
      if (section === 'runs') this.#runs.set(own, known)
      return
    }
    let id = ''
    if (!this.#options.dryRun) {
      try {
        id = idIn(await this.#send(method, message, path))
      } catch (error) {
        if (section === 'runs') this.#runs.delete(own)
        throw error
      }
      this.#journal?.add(`${this.#digest} ${path}`, id)
      if (section === 'runs') this.#runs.set(own, id)
    }
    this.#section(section).imported += 1
  }

  async #batch(kind: string, section: string, item: BatchItem): Promise<void> {
    if (this.#journal?.has(`${this.#digest} ${section}`, item.index) === true) {
      this.#section(section).already += 1
      return
    }
    const key = `${kind} ${section}`
    const waiting = this.#batches.get(key) ?? []
    // The bounds of batches depend on the file alone, so that an import that comes again makes the same.
    const [first] = waiting
    const length = waiting.reduce((sum, one) => sum + one.length, item.length)
    const begun = first !== undefined && (blockOf(first) !== blockOf(item) || length > batchLengthMax)
    if (begun) await this.#flush(key)
    this.#batches.set(key, begun ? [item] : [...waiting, item])
  }

  async #flush(key: string): Promise<void> {
    const [kind = '', section = ''] = key.split(' ')
    const items = this.#batches.get(key) ?? []
    this.#batches.delete(key)
    if (items.length === 0) return
    const counted = this.#section(section)
    if (this.#options.dryRun) {
      counted.imported += items.length
      return
    }
    const message = { [kind]: items.map((item) => item.message) }
    let results: readonly { readonly code: string }[]
    try {
      const reply = await this.#send('HubService/RecordBatch', message, items.map(({ path }) => path).join())
      results = resultsShape.parse(reply).results
    } catch (error) {
      for (const { path } of items) this.#skip(section, path, error)
      return
    }
    const done = items.filter((_, at) => results[at]?.code === '')
    counted.imported += done.length
    this.#journal?.addItems(
      `${this.#digest} ${section}`,
      done.map(({ index }) => index),
    )
    for (const [at, { path }] of items.entries()) {
      const code = results[at]?.code ?? 'cli.reply_unknown'
      if (code !== '') this.#skip(section, path, new BadItem(`was refused: ${code}`))
    }
  }

  /** The place in the file is the idempotency key: the same call twice is one. */
  async #send(method: string, message: object, path: string): Promise<unknown> {
    const idempotencyKey = `import-${this.#digest.slice(0, 32)}-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
    const text = JSON.stringify({ ...message, idempotencyKey })
    for (let attempt = 0; ; attempt += 1) {
      try {
        return (await this.#client.callText(method, text, false)).body
      } catch (error) {
        const again = error instanceof CliError && waited.has(error.code) && attempt < waitsMax
        if (!again) throw error
        await this.#io.sleep(waitMs)
      }
    }
  }

  #section(name: string): SectionCount {
    const known = this.#sections.get(name) ?? { found: 0, imported: 0, already: 0, skipped: 0 }
    this.#sections.set(name, known)
    return known
  }

  #skip(section: string, path: string, error: unknown): void {
    this.#problem(path, error)
    this.#section(section).skipped += 1
  }

  /** What is not the fault of the item ends the import: it goes on from here when it is started again. */
  #problem(path: string, error: unknown): void {
    if (!(error instanceof BadItem) && !(error instanceof CliError && itemsOwn.test(error.code))) throw error
    if (this.#problems.length < problemsMax) this.#problems.push({ path, why: error.message })
  }
}

function fieldsOf(text: string | undefined): ItemFields {
  if (text === undefined) throw new BadItem(`is larger than ${itemBytesMax} bytes`)
  return new ItemFields(text)
}

function blockOf({ index }: BatchItem): number {
  return Math.floor(index / batchItemsMax)
}

/** The id of the object that a reply holds: there is one. */
function idIn(reply: unknown): string {
  const [object] = Object.values(replyShape.parse(reply))
  const parsed = idShape.safeParse(object)
  return parsed.success ? parsed.data.id : ''
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunksOf(file)) hash.update(chunk)
  return hash.digest('hex')
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Uint8Array
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw usage(`The file ${file} cannot be read (${why}).`, 'Name a file that exists and that this user may read.')
  }
}
