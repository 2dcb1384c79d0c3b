import * as z from 'zod'

/** What every sink has: what it is, and the name that its metrics and messages carry. */
export function sinkShape<Kind extends string>(kind: Kind) {
  return {
    kind: z.literal(kind),
    name: formed(/^[a-z][a-z0-9-]{0,31}$/, 'A name is 1 to 32 of a-z, 0-9 and -, and begins with a letter.').default(
      kind,
    ),
  }
}

/** A file or folder; those of a settings file start at its folder when their key is `dir` or ends with `File` or `Dir`. */
export const sinkFile = z.string().min(1).optional()

/** Text of a form; `why` says what is wrong with any other. */
export function formed(form: RegExp, why: string) {
  return z.string().check(z.refine((text) => form.test(text), why))
}
