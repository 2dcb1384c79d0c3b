import { Command, InvalidArgumentError, Option } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable } from '../print.ts'
import {
  budgetOf,
  budgetShape,
  subjectOf,
  usedOf,
  windowText,
  withBudget,
  type BudgetOptions,
} from './budget-values.ts'
import { reservationsCommand } from './budget-reservations.ts'

const useShape = z.object({
  budget: budgetShape,
  windows: z
    .array(
      z.object({
        subject: z.object({ id: z.string().default('') }).default({ id: '' }),
        used: z.string().default('0'),
        held: z.string().default('0'),
        resetsAt: z.string().nullable().default(null),
      }),
    )
    .default([]),
})
const pageShape = z
  .object({ budgets: z.array(useShape).default([]), nextPageToken: z.string().default('') })
  .transform(({ budgets, nextPageToken }) => ({ rows: budgets, nextPageToken }))

const list: List<z.output<typeof useShape>> = {
  name: 'budgets',
  method: 'BudgetService/ListBudgets',
  shape: pageShape,
  head: ['ID', 'NAME', 'COUNTS', 'USED + HELD OF LIMIT', 'WINDOW', 'RESETS', 'STATE'],
  cells: ({ budget, windows }) => [
    budget.id,
    budget.name,
    subjectOf(budget),
    usedOf(budget, windows[0]),
    windowText(budget),
    windows[0]?.resetsAt ?? '-',
    !budget.active ? 'inactive' : budget.action === 'BUDGET_ACTION_DRY_RUN' ? 'dry run' : budget.hard ? 'hard' : 'soft',
  ],
  none: 'There are no budgets.',
}

export function budgetCommand(io: Io): Command {
  return new Command('budget')
    .description('Budgets: limits on what agents spend, held exactly.')
    .addCommand(listCommand(io))
    .addCommand(setCommand(io))
    .addCommand(deleteCommand(io))
    .addCommand(reservationsCommand(io))
    .addCommand(simulateCommand(io))
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists budgets with what is used and held now, newest first. Needs admin:read.')
    .option('--active', 'only those in force')
    .action((options: ListOptions & { readonly active?: boolean }) =>
      printList(list, { activeOnly: options.active === true }, options, io),
    )
  return withExamples(command, 'portcullis budget list --active')
}

function setCommand(io: Io): Command {
  const command = withBudget(withClient(new Command('set')))
    .description(
      'Makes a budget or, with --id, changes its limit, name, hardness and action. What it counts stays. Needs policy:write.',
    )
    .option('--id <id>', 'bud_…, as `portcullis budget list` shows it')
    .option('--name <text>', 'what it is called')
    .option('--soft', 'only tell; do not refuse')
    .option('--dry-run', 'let pass and record what would have been refused')
    .option('--inactive', 'keep it without holding anybody to it')
    .action(async (options: SetOptions) => {
      const client = new Client(options, io)
      const wanted = {
        ...(await withAgentId(client, budgetOf(options), options)),
        ...(options.id === undefined ? {} : { id: options.id }),
        ...(options.name === undefined ? {} : { name: options.name }),
        hard: options.soft !== true,
        action: options.dryRun === true ? 'BUDGET_ACTION_DRY_RUN' : 'BUDGET_ACTION_DENY',
        active: options.inactive !== true,
      }
      const reply = z.object({ budget: budgetShape })
      const { budget } = await client.call('BudgetService/UpsertBudget', { budget: wanted }, reply)
      if (options.json) io.out.write(`${JSON.stringify(budget)}\n`)
      else
        io.out.write(
          `Budget ${printable(budget.id)}: ${printable(subjectOf(budget))}, ${usedOf(budget, undefined)}, ${windowText(budget)}.\n`,
        )
    })
  return withExamples(
    command,
    'portcullis budget set --tenant --limit-dollars 50 --per day --zone Europe/Berlin',
    "portcullis budget set --agent '*' --limit-requests 1000 --last 1h --dry-run",
  )
}

/** The budget with the agent by its id, whom a person may also name. */
async function withAgentId(client: Client, budget: object, { agent }: BudgetOptions): Promise<object> {
  if (agent === undefined || agent === '*') return budget
  return { ...budget, subject: { kind: 'SUBJECT_KIND_AGENT', id: await findAgentId(client, agent) } }
}

interface SetOptions extends ClientOptions, BudgetOptions {
  readonly id?: string
  readonly name?: string
  readonly soft?: boolean
  readonly dryRun?: boolean
  readonly inactive?: boolean
}

function deleteCommand(io: Io): Command {
  const command = withClient(new Command('delete'))
    .description('Takes a budget away; what was booked under it stays. Needs policy:write.')
    .argument('<id>', 'bud_…, as `portcullis budget list` shows it')
    .action(async (budgetId: string, options: ClientOptions) => {
      await new Client(options, io).call('BudgetService/DeleteBudget', { budgetId }, z.object({}))
      if (options.json) io.out.write(`${JSON.stringify({ deleted: budgetId })}\n`)
      else io.out.write(`The budget ${printable(budgetId)} is gone.\n`)
    })
  return withExamples(command, 'portcullis budget delete bud_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}

function daysOf(text: string): number {
  if (!/^\d{1,2}$/.test(text) || Number(text) < 1 || Number(text) > 31)
    throw new InvalidArgumentError('Write a number of days, 1 to 31.')
  return Number(text)
}

const count = z.string().default('0')
const simulated = z.object({
  attempts: count,
  admitted: count,
  denied: count,
  admittedAmount: count,
  deniedAmount: count,
  firstDeniedAt: z.string().nullable().default(null),
})

function simulateCommand(io: Io): Command {
  const command = withBudget(withClient(new Command('simulate')))
    .description('Says what such a budget would have refused of the attempts of the last days. Needs admin:read.')
    .addOption(new Option('--days <n>', 'how far back, 31 at most').argParser(daysOf).default(7))
    .action(async (options: ClientOptions & BudgetOptions & { readonly days: number }) => {
      const from = new Date(io.now() - options.days * 86_400_000).toISOString()
      const client = new Client(options, io)
      const asked = { budget: await withAgentId(client, budgetOf(options), options), from }
      const told = await client.call('BudgetService/Simulate', asked, simulated)
      if (options.json) io.out.write(`${JSON.stringify(told)}\n`)
      else {
        const first = told.firstDeniedAt === null ? '' : `, the first at ${told.firstDeniedAt}`
        io.out.write(`${told.attempts} attempts: ${told.admitted} admitted, ${told.denied} refused${first}.\n`)
      }
    })
  return withExamples(command, 'portcullis budget simulate --tenant --limit-dollars 5 --per day --days 30')
}
