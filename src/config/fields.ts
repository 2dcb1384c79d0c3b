import * as z from 'zod'
import { Secret } from '#core'

/** What the schema says about a setting besides its type; carried into the reference page and the variables. */
export interface FieldMeta {
  readonly description: string
  /** The plain variable that sets it too. */
  readonly plain?: string
  /** How the default is described where it depends on other settings. */
  readonly defaultText?: string
  /** What a value looks like, where the type does not say enough; goes after "Set x to". */
  readonly form?: string
  readonly secret?: true
  /** A path in the file system: relative to the folder of the config file that names it. */
  readonly filePath?: true
  /** May change while the server runs. */
  readonly reload?: true
}

type More = Omit<FieldMeta, 'description'>

/** A section that is always there; what is left out of it has defaults. */
export function section<Shape extends z.core.$ZodLooseShape>(description: string, shape: Shape) {
  return (
    z
      .strictObject(shape)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a required key would fail the first load of any config
      .prefault({} as z.input<z.ZodObject<Shape, z.core.$strict>>)
      .meta({ description })
  )
}

/** A section whose presence means something by itself. */
export function optionalSection<Shape extends z.core.$ZodLooseShape>(description: string, shape: Shape) {
  return z.strictObject(shape).optional().meta({ description })
}

/** A whole number within bounds. The unit is the last word of the setting's name. */
export function integer(value: number, min: number, max: number, description: string, more: More = {}) {
  return z
    .int()
    .min(min)
    .max(max)
    .default(value)
    .meta({ description, ...more })
}

export function flag(value: boolean, description: string, more: More = {}) {
  return z
    .boolean()
    .default(value)
    .meta({ description, ...more })
}

export function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  value: Values[number],
  description: string,
  more: More = {},
) {
  return z
    .enum(values)
    .default(() => value)
    .meta({ description, ...more })
}

/** Text that must not be blank and has no default. */
export function requiredText(description: string, more: More = {}) {
  return z
    .string()
    .regex(/\S/)
    .meta({ description, ...more })
}

export function filePath(description: string) {
  return z.string().min(1).optional().meta({ description, filePath: true, form: 'the name of a file' })
}

/** A secret given in place. Give every one a twin made with {@link secretFile} (SPEC S5). */
export function secretText(description: string, more: More = {}) {
  return z
    .string()
    .min(1)
    .transform((text) => new Secret(text))
    .optional()
    .meta({ description, secret: true, form: 'a secret', ...more })
}

export function secretFile(description: string) {
  return filePath(`${description} Read at start and on reload; mode 0600 or stricter in production.`)
}

/** Text that a parser must accept; what it throws becomes the reason. */
export function parsedText(parse: (text: string) => unknown) {
  return z.string().check((context) => {
    try {
      parse(context.value)
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : 'The text cannot be read.'
      context.issues.push({ code: 'custom', input: context.value, message })
    }
  })
}
