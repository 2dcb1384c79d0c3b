import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import * as z from 'zod'
import { usage } from '../errors.ts'

const lineShape = z.object({ key: z.string(), id: z.string().default(''), items: z.array(z.int()).optional() })
const fileMode = 0o600

/**
 * What was done, one JSON line a call, beside the imported file: an import that goes on or comes again leaves it out, also after the
 * server has forgotten the idempotency keys.
 */
export class Journal {
  readonly #file: string
  readonly #server: string
  readonly #done = new Map<string, string>()
  readonly #items = new Map<string, Set<number>>()

  constructor(file: string, server: string) {
    this.#file = file
    this.#server = server
    try {
      if (!existsSync(file)) writeFileSync(file, '', { mode: fileMode })
      for (const line of readFileSync(file, 'utf8').split('\n')) this.#read(line)
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'not readable'
      throw usage(`The journal ${file} cannot be kept (${why}).`, 'Name another file with --journal.')
    }
  }

  /** The id that the call answered, empty where it had none; undefined where it was not done. */
  get(key: string): string | undefined {
    return this.#done.get(this.#line(key))
  }

  /** Whether that item of a list was done, with others in one call. */
  has(list: string, index: number): boolean {
    return this.#items.get(this.#line(list))?.has(index) === true
  }

  addItems(list: string, items: readonly number[]): void {
    const key = this.#line(list)
    this.#remember(key, items)
    appendFileSync(this.#file, `${JSON.stringify({ key, items })}\n`, { mode: fileMode })
  }

  add(key: string, id: string): void {
    const line = this.#line(key)
    this.#done.set(line, id)
    appendFileSync(this.#file, `${JSON.stringify({ key: line, id })}\n`, { mode: fileMode })
  }

  #remember(key: string, items: readonly number[]): void {
    const known = this.#items.get(key) ?? new Set<number>()
    this.#items.set(key, known)
    for (const item of items) known.add(item)
  }

  #line(key: string): string {
    return `${this.#server} ${key}`
  }

  /** A last line that a crash cut short is as if it was not there: its call is repeated under its idempotency key. */
  #read(line: string): void {
    if (line === '') return
    try {
      const { key, id, items } = lineShape.parse(JSON.parse(line))
      if (items === undefined) this.#done.set(key, id)
      else this.#remember(key, items)
    } catch {
      this.#done.delete(line)
    }
  }
}
