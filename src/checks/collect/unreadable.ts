import type { Parsed, SourceFile } from './source-file.ts'

/** Thrown inside a reader where the file stops making sense; {@link guarded} turns it into a fact. */
export class Unreadable extends Error {
  readonly offset: number

  constructor(offset: number, why: string) {
    super(why)
    this.offset = offset
  }
}

/** The value that `read` gives, or where and why the file could not be read. */
export function guarded<T>(file: SourceFile, read: () => T): Parsed<T> {
  try {
    return { file, value: read() }
  } catch (cause) {
    if (cause instanceof Unreadable) return { file, unreadable: { offset: cause.offset, why: cause.message } }
    if (cause instanceof RangeError) return { file, unreadable: { offset: 0, why: 'It is nested too deeply.' } }
    throw cause
  }
}
