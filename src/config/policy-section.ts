import * as z from 'zod'
import { section, type FieldMeta } from './fields.ts'

/** Fine policy behind the scopes (SPEC G21). */
export const policy = section(
  'Fine policies, in the language Cedar. They take away from what scopes allow, and never add.',
  {
    cedarDir: z
      .string()
      .min(1)
      .optional()
      .meta({
        description:
          'A folder of `*.cedar` files, at most 200 with 500 policies and 1 MiB in all; edits are taken over within seconds. Once it is set, what no policy permits is denied.',
        filePath: true,
        form: 'the name of a folder',
      } satisfies FieldMeta),
  },
)
