import { Command } from 'commander'
import * as z from 'zod'
import { findAgentId } from '../agents.ts'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { agentPage, agentShape, type Agent } from '../replies.ts'
import { collect, parseLabel } from '../values.ts'

interface CreateOptions extends ClientOptions {
  readonly owner?: string
  readonly label?: Readonly<Record<string, string>>
  readonly model?: readonly string[]
  readonly tool?: readonly string[]
}

const replyShape = z.object({ agent: agentShape })

const list: List<Agent> = {
  name: 'agents',
  method: 'IdentityService/ListAgents',
  shape: agentPage,
  head: ['NAME', 'ID', 'OWNER', 'CREATED', 'STATE'],
  cells: ({ name, id, owner, createdAt, disabledAt }, nowMs) => [
    name,
    id,
    owner || '-',
    relativeTime(createdAt, nowMs),
    disabledAt === null ? 'active' : `disabled ${relativeTime(disabledAt, nowMs)}`,
  ],
  none: 'There are no agents. `portcullis agent create NAME` makes one.',
}

export function agentCommand(io: Io): Command {
  return new Command('agent')
    .description('Agents: the programs that call, each with keys of its own.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(disableCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Makes an agent.')
    .argument('<name>', 'lower-case letters, digits, dots, dashes and underscores; unique in the tenant')
    .option('--owner <who>', 'the person or team that answers for it')
    .option('--label <name=value>', 'a label; repeat it for more', parseLabel)
    .option('--model <model>', 'a model it may use; repeat it for more (default: every model)', collect)
    .option('--tool <tool>', 'a tool it may use; repeat it for more (default: every tool)', collect)
    .action(async (name: string, options: CreateOptions) => {
      const { owner, label: labels, model: allowedModels, tool: allowedTools } = options
      const message = { name, owner, labels, allowedModels, allowedTools }
      const { agent } = await new Client(options, io).call('IdentityService/CreateAgent', message, replyShape)
      if (options.json) {
        io.out.write(`${JSON.stringify(agent)}\n`)
        return
      }
      io.out.write(`Agent ${printable(agent.name)} is ${printable(agent.id)}.\n`)
      io.err.write(
        `Next, a key for it: portcullis key create --agent ${printable(agent.name)} --scopes telemetry:write\n`,
      )
    })
  return withExamples(
    command,
    'portcullis agent create researcher',
    'portcullis agent create reviewer --owner quality --label tier=gold --model model-a',
  )
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the agents, newest first.')
    .action((options: ListOptions) => printList(list, {}, options, io))
  return withExamples(command, 'portcullis agent list', 'portcullis agent list --all --json')
}

function disableCommand(io: Io): Command {
  const command = withClient(new Command('disable'))
    .description('Ends the use of all keys of an agent, everywhere, within a second.')
    .argument('<agent>', 'its id or its name')
    .action(async (name: string, options: ClientOptions) => {
      const client = new Client(options, io)
      const agentId = await findAgentId(client, name)
      const { agent } = await client.call('IdentityService/DisableAgent', { agentId }, replyShape)
      if (options.json) io.out.write(`${JSON.stringify(agent)}\n`)
      else io.out.write(`Agent ${printable(agent.name)} is disabled; none of its keys is accepted any more.\n`)
    })
  return withExamples(command, 'portcullis agent disable researcher')
}
