import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { parseDollars, showDollars } from '../money.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable } from '../print.ts'
import { integerText, wholeText } from '../values.ts'
import { limitsOf, limitsShape, withLimits, type LimitOptions } from './policy-limits.ts'

const text = z.string().default('')
const amount = z.string().default('0')
const capShape = limitsShape.extend({
  id: z.string(),
  name: text,
  providerType: text,
  provider: text,
  model: text,
  maxCostPerAttemptNanoUsd: amount,
  maxTokensPerAttempt: amount,
  priority: z.number().default(0),
  dryRun: z.boolean().default(false),
  active: z.boolean().default(true),
  updatedAt: z.string().nullable().default(null),
})
const replyShape = z.object({ cap: capShape })
const pageShape = z
  .object({ caps: z.array(capShape).default([]), nextPageToken: text })
  .transform(({ caps, nextPageToken }) => ({ rows: caps, nextPageToken }))

type Cap = z.output<typeof capShape>

const list: List<Cap> = {
  name: 'caps',
  method: 'PolicyService/ListPolicyCaps',
  shape: pageShape,
  head: ['NAME', 'ID', 'HOLDS FOR', 'LIMITS', 'PRIORITY', 'STATE'],
  cells: (cap) => [
    cap.name,
    cap.id,
    [cap.providerType, cap.provider, cap.model].filter((part) => part !== '').join(' / ') || 'everything',
    limitsText(cap),
    String(cap.priority),
    !cap.active ? 'inactive' : cap.dryRun ? 'dry run' : 'active',
  ],
  none: 'There are no policy caps.',
}

interface SetOptions extends ClientOptions, LimitOptions {
  readonly id?: string
  readonly providerType?: string
  readonly provider?: string
  readonly model?: string
  readonly maxCostPerAttempt?: string
  readonly maxTokensPerAttempt?: string
  readonly priority?: number
  readonly dryRun?: boolean
  readonly inactive?: boolean
}

export function capsCommand(io: Io): Command {
  const command = withList(new Command('caps'))
    .description('Lists the policy caps of the tenant, newest first.')
    .option('--active', 'only those in force')
    .action((options: ListOptions & { readonly active?: boolean }) =>
      printList(list, { activeOnly: options.active === true }, options, io),
    )
  return withExamples(command, 'portcullis policy caps --active')
}

export function capCommand(io: Io): Command {
  return new Command('cap')
    .description('Policy caps: limits of the attempts of a provider type, a provider or a model. Needs policy:write.')
    .addCommand(setCommand(io))
    .addCommand(deleteCommand(io))
}

function setCommand(io: Io): Command {
  const command = withLimits(withClient(new Command('set')))
    .description('Makes a cap or, with --id, replaces one as a whole.')
    .argument('<name>', 'what the cap is called')
    .option('--id <id>', 'cap_…, as `portcullis policy caps` shows it')
    .option('--provider-type <type>', 'of attempts of this provider type')
    .option('--provider <name>', 'of attempts at this provider')
    .option('--model <name>', 'of attempts with this model')
    .option('--max-cost-per-attempt <dollars>', 'what an attempt may cost', parseDollars)
    .option('--max-tokens-per-attempt <n>', 'tokens of an attempt', wholeText)
    .option('--priority <n>', 'the higher one decides among caps that are as specific', integerText)
    .option('--dry-run', 'record violations and let the attempts pass')
    .option('--inactive', 'keep the cap without holding anybody to it')
    .action(async (name: string, options: SetOptions) => {
      const { id, provider, model, providerType, maxCostPerAttempt, maxTokensPerAttempt, priority } = options
      const wanted = {
        ...limitsOf(options),
        name,
        ...(id === undefined ? {} : { id }),
        ...(providerType === undefined ? {} : { providerType }),
        ...(provider === undefined ? {} : { provider }),
        ...(model === undefined ? {} : { model }),
        ...(maxCostPerAttempt === undefined ? {} : { maxCostPerAttemptNanoUsd: maxCostPerAttempt }),
        ...(maxTokensPerAttempt === undefined ? {} : { maxTokensPerAttempt }),
        ...(priority === undefined ? {} : { priority }),
        dryRun: options.dryRun === true,
        active: options.inactive !== true,
      }
      const { cap } = await new Client(options, io).call('PolicyService/UpsertPolicyCap', { cap: wanted }, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(cap)}\n`)
      else io.out.write(`Cap ${printable(cap.name)} is ${printable(cap.id)}: ${limitsText(cap)}.\n`)
    })
  return withExamples(
    command,
    'portcullis policy cap set small --model gpt-5 --max-cost-per-attempt 0.25 --max-latency 30s',
    'portcullis policy cap set trial --provider openai --max-tokens-per-run 100000 --dry-run',
  )
}

function deleteCommand(io: Io): Command {
  const command = withClient(new Command('delete'))
    .description('Takes a cap away, at once on every replica.')
    .argument('<id>', 'cap_…, as `portcullis policy caps` shows it')
    .action(async (capId: string, options: ClientOptions) => {
      await new Client(options, io).call('PolicyService/DeletePolicyCap', { capId }, z.object({}))
      if (options.json) io.out.write(`${JSON.stringify({ deleted: capId })}\n`)
      else io.out.write(`The cap ${printable(capId)} is gone.\n`)
    })
  return withExamples(command, 'portcullis policy cap delete cap_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function limitsText(cap: Cap): string {
  const parts: readonly (readonly [string, string, string])[] = [
    [cap.maxCostPerRunNanoUsd, showDollars(cap.maxCostPerRunNanoUsd), 'a run'],
    [cap.maxAttemptsPerRun, `${cap.maxAttemptsPerRun} attempts`, 'a run'],
    [cap.maxTokensPerRun, `${cap.maxTokensPerRun} tokens`, 'a run'],
    [cap.maxCostPerAttemptNanoUsd, showDollars(cap.maxCostPerAttemptNanoUsd), 'an attempt'],
    [cap.maxTokensPerAttempt, `${cap.maxTokensPerAttempt} tokens`, 'an attempt'],
    [cap.maxLatencyPerAttemptMs, `${cap.maxLatencyPerAttemptMs} ms`, 'an attempt'],
  ]
  return parts
    .filter(([value]) => value !== '0')
    .map(([, shown, of]) => `${shown} ${of}`)
    .join(', ')
}
