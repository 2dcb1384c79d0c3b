import * as z from 'zod'
import { section, type FieldMeta } from './fields.ts'

const rulesMax = 32

const rule = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'Lower-case letters, digits and dashes.'),
  on: z.enum(['denial_rate', 'error_rate', 'spend_rate']),
  scope: z.enum(['agent', 'key', 'tenant']).default('agent'),
  // Money is never a number with a point: what is written as one is taken as its text.
  threshold: z.union([z.string().regex(/^\d{1,9}(?:\.\d{1,9})?$/, 'A decimal such as 0.5 or 20.'), z.number()]),
  windowSeconds: z.int().min(1).max(3600).default(60),
  minSamples: z.int().min(1).max(1_000_000).default(20),
  mode: z.enum(['shadow', 'warn', 'enforce']).default('shadow'),
  expiresAfterSeconds: z.int().min(1).max(31_536_000).optional(),
})

export const kill = section('The kill switch.', {
  auto: z
    .array(rule)
    .max(rulesMax)
    .default([])
    .meta({
      description:
        'Rules that engage it by themselves: each has `name`, `on` (`denial_rate`, `error_rate`, `spend_rate`), `scope` (`agent`, `key`, `tenant`), `threshold` (a share of the calls such as 0.5, or dollars in the window), `windowSeconds` (60), `minSamples` (20), `mode` (`shadow` notes what it would have done, `warn` raises an alert, `enforce` engages) and `expiresAfterSeconds` (until released). Each process counts for itself. See [the kill switch](../kill-switch.md#rules-that-engage-it).',
      form: 'a list of rules, each with name, on, scope, threshold, windowSeconds, minSamples, mode and expiresAfterSeconds',
    } satisfies FieldMeta),
})
