import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { parseDollars, showDollars } from '../money.ts'
import { withClient, withExamples, type ClientOptions } from '../options.ts'
import { paint, printable, table } from '../print.ts'
import { parseMilliseconds, wholeText } from '../values.ts'

const amount = z.string().default('0')

export const limitsShape = z.object({
  maxCostPerRunNanoUsd: amount,
  maxAttemptsPerRun: amount,
  maxTokensPerRun: amount,
  maxLatencyPerAttemptMs: amount,
})

const policyShape = limitsShape.extend({
  killSwitch: z.boolean().default(false),
  killSwitchReason: z.string().default(''),
  updatedAt: z.string().nullable().default(null),
})
const replyShape = z.object({ policy: policyShape })

type Limits = z.output<typeof limitsShape>
type Policy = z.output<typeof policyShape>

export interface LimitOptions {
  readonly maxCostPerRun?: string
  readonly maxAttemptsPerRun?: string
  readonly maxTokensPerRun?: string
  readonly maxLatency?: string
}

interface SetOptions extends ClientOptions, LimitOptions {
  readonly killSwitch?: 'on' | 'off'
  readonly reason?: string
}

export function getCommand(io: Io): Command {
  const command = withClient(new Command('get'))
    .description('Shows what a run of the tenant may use at most, and whether its kill switch is engaged.')
    .action(async (options: ClientOptions) => {
      const { policy } = await new Client(options, io).call('PolicyService/GetPolicy', {}, replyShape)
      show(policy, options, io)
    })
  return withExamples(command, 'portcullis policy get')
}

export function setCommand(io: Io): Command {
  const command = withLimits(withClient(new Command('set')))
    .description('Changes limits of the tenant; those that are not named stay. Needs the scope policy:write.')
    .addOption(
      new Command().createOption('--kill-switch <state>', 'stops everything of the tenant').choices(['on', 'off']),
    )
    .option('--reason <text>', 'why the kill switch is turned')
    .action(async (options: SetOptions) => {
      const { killSwitch, reason } = options
      if (killSwitch === 'on' && reason === undefined)
        throw usage('The kill switch needs a reason.', 'Say with --reason why everything of the tenant is to stop.')
      const named = limitsOf(options)
      if (Object.keys(named).length === 0 && killSwitch === undefined)
        throw usage('There is nothing to set.', 'Name a limit, such as --max-attempts-per-run 20, or --kill-switch.')
      const client = new Client(options, io)
      const { policy } = await client.call('PolicyService/GetPolicy', {}, replyShape)
      const wanted = {
        ...limitsShape.parse(policy),
        ...named,
        ...(killSwitch === undefined ? {} : { killSwitch: killSwitch === 'on', killSwitchReason: reason ?? '' }),
      }
      const reply = await client.call('PolicyService/SetPolicy', { policy: wanted }, replyShape)
      show(reply.policy, options, io)
    })
  return withExamples(
    command,
    'portcullis policy set --max-cost-per-run 5 --max-attempts-per-run 20 --max-latency 60s',
    'portcullis policy set --kill-switch on --reason "spends without an end"',
  )
}

/** The limits that policies and caps have in common. */
export function withLimits(command: Command): Command {
  return command
    .option('--max-cost-per-run <dollars>', 'what a run may cost; 0 is no limit', parseDollars)
    .option('--max-attempts-per-run <n>', 'attempts of a run; 0 is no limit', wholeText)
    .option('--max-tokens-per-run <n>', 'tokens of a run; 0 is no limit', wholeText)
    .option('--max-latency <duration>', 'of an attempt, such as 30s or 1500ms; 0 is no limit', parseMilliseconds)
}

/** The limits that were named. */
export function limitsOf({
  maxCostPerRun,
  maxAttemptsPerRun,
  maxTokensPerRun,
  maxLatency,
}: LimitOptions): Partial<Limits> {
  return {
    ...(maxCostPerRun === undefined ? {} : { maxCostPerRunNanoUsd: maxCostPerRun }),
    ...(maxAttemptsPerRun === undefined ? {} : { maxAttemptsPerRun }),
    ...(maxTokensPerRun === undefined ? {} : { maxTokensPerRun }),
    ...(maxLatency === undefined ? {} : { maxLatencyPerAttemptMs: maxLatency }),
  }
}

function show(policy: Policy, options: ClientOptions, io: Io): void {
  if (options.json) {
    io.out.write(`${JSON.stringify(policy)}\n`)
    return
  }
  const { bold } = paint(io.out.colours)
  if (policy.killSwitch) io.out.write(`${bold('The tenant is stopped')}: ${printable(policy.killSwitchReason)}\n`)
  const or = (value: string, shown: string): string => (value === '0' ? 'no limit' : shown)
  const rows = [
    ['cost of a run', or(policy.maxCostPerRunNanoUsd, showDollars(policy.maxCostPerRunNanoUsd))],
    ['attempts of a run', or(policy.maxAttemptsPerRun, policy.maxAttemptsPerRun)],
    ['tokens of a run', or(policy.maxTokensPerRun, policy.maxTokensPerRun)],
    ['latency of an attempt', or(policy.maxLatencyPerAttemptMs, `${policy.maxLatencyPerAttemptMs} ms`)],
  ]
  io.out.write(table(['LIMIT', 'AT MOST'], rows, paint(io.out.colours)))
}
