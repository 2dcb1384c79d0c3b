import * as z from 'zod'
import { integer, requiredText, section, type FieldMeta } from './fields.ts'

/** USD as text: a float could not say it exactly. */
function usd(description: string, form: string) {
  return z
    .string()
    .regex(/^\d{1,9}(\.\d{1,18})?$/)
    .optional()
    .meta({ description, form } satisfies FieldMeta)
}

const perMillion = (of: string, more = '') =>
  usd(`USD for a million ${of}.${more}`, 'a decimal in quotes such as "2.50"')

const price = z
  .strictObject({
    provider: requiredText('The provider, as agents name it; case does not matter.'),
    model: requiredText('The model, as agents name it; case does not matter.'),
    inputPerMillionUsd: perMillion('input tokens that no cache had'),
    cachedReadPerMillionUsd: perMillion('tokens read from a cache', ' Without it, as input.'),
    cacheWritePerMillionUsd: perMillion('tokens written to a cache', ' Without it, as input.'),
    outputPerMillionUsd: perMillion('output tokens'),
    reasoningPerMillionUsd: perMillion('reasoning tokens', ' Without it, as output.'),
    requestUsd: usd('USD for each call, beside its tokens.', 'a decimal in quotes such as "0.005"'),
    maxOutputTokens: z.int().min(1).max(100_000_000).optional().meta({
      description: 'The most that the model can answer: what a reservation holds where the caller says nothing.',
    }),
  })
  .meta({ description: 'Prices of one model, in front of those that the product brings.' })

const providerKey = z
  .strictObject({
    provider: requiredText('The provider, as in its export.'),
    id: requiredText(
      'The id of the key, project or workspace, as in its export, such as `wrkspc_01…`; never the key itself.',
    ),
    agents: z
      .array(z.string().regex(/^agt_[0-9a-f-]{36}$/))
      .min(1)
      .max(1000)
      .meta({ description: 'The agents that use it.', form: 'a list of ids such as agt_0199...' } satisfies FieldMeta),
  })
  .meta({ description: 'Whose use a key of a provider is.' })

/** What models cost, and how the figures of providers are compared (SPEC H11, H12). */
export const costs = section('What models cost, and how it is compared with what providers charge.', {
  prices: z.array(price).max(1000).default([]).meta({
    description:
      'Prices of your own: of models that the product does not know, or that were negotiated. Each has `provider`, `model`, `inputPerMillionUsd`, `outputPerMillionUsd` and [more](../costs.md#prices).',
    form: 'a list of prices',
  }),
  providerKeys: z.array(providerKey).max(1000).default([]).meta({
    description:
      'Which agents use which key of a provider; each has `provider`, `id` and `agents`. Lines of its export for that key are compared with the use of these agents. All other lines of a model are compared together with the use of all other agents.',
    form: 'a list of keys with their agents',
  }),
  driftAlertMilli: integer(
    10,
    0,
    1_000_000,
    'From which drift on there is an alert, in thousandths of what the hub knows; both bounds must be passed.',
  ),
  driftAlertMinUsd: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,9})?$/)
    .default('1')
    .meta({
      description: 'From which drift in USD on there is an alert; both bounds must be passed.',
      form: 'a decimal in quotes such as "1.00"',
    } satisfies FieldMeta),
})
