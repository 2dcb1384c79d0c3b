import { Command } from 'commander'
import * as z from 'zod'
import { Client } from '../client.ts'
import type { Io } from '../io.ts'
import { printList, type List } from '../lists.ts'
import { withClient, withExamples, withList, type ClientOptions, type ListOptions } from '../options.ts'
import { printable, relativeTime } from '../print.ts'
import { tenantPage, tenantShape, type Tenant } from '../replies.ts'
import { onceText } from '../shown-once.ts'

const createdShape = z.object({ tenant: tenantShape, key: z.string().default(''), keyId: z.string().default('') })
const disabledShape = z.object({ tenant: tenantShape })

const list: List<Tenant> = {
  name: 'tenants',
  method: 'TenantService/List',
  shape: tenantPage,
  head: ['NAME', 'ID', 'CREATED', 'STATE'],
  cells: ({ name, id, createdAt, disabledAt }, nowMs) => [
    name,
    id,
    relativeTime(createdAt, nowMs),
    disabledAt === null ? 'active' : `disabled ${relativeTime(disabledAt, nowMs)}`,
  ],
  none: 'There are no tenants.',
}

export function tenantCommand(io: Io): Command {
  return new Command('tenant')
    .description('Tenants: whose objects exist for whom. Needs the scope tenants:write.')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(disableCommand(io))
}

function createCommand(io: Io): Command {
  const command = withClient(new Command('create'))
    .description('Makes a tenant and shows its first admin key, once.')
    .argument('<name>', 'lower-case letters, digits and dashes')
    .action(async (name: string, options: ClientOptions) => {
      const created = await new Client(options, io).call('TenantService/Create', { name }, createdShape)
      const { tenant, key, keyId } = created
      if (options.json) io.out.write(`${JSON.stringify({ ...tenant, key, keyId })}\n`)
      else
        io.out.write(
          `Tenant ${printable(tenant.name)} is ${printable(tenant.id)}.\n${onceText(key, keyId, io.out.colours)}`,
        )
    })
  return withExamples(command, 'portcullis tenant create acme')
}

function listCommand(io: Io): Command {
  const command = withList(new Command('list'))
    .description('Lists the tenants, newest first.')
    .action((options: ListOptions) => printList(list, {}, options, io))
  return withExamples(command, 'portcullis tenant list --all')
}

function disableCommand(io: Io): Command {
  const command = withClient(new Command('disable'))
    .description('Ends the use of every credential of a tenant. The tenant main cannot be disabled.')
    .argument('<id>', 'ten_…, as `portcullis tenant list` shows it')
    .action(async (tenantId: string, options: ClientOptions) => {
      const { tenant } = await new Client(options, io).call('TenantService/Disable', { tenantId }, disabledShape)
      if (options.json) io.out.write(`${JSON.stringify(tenant)}\n`)
      else io.out.write(`Tenant ${printable(tenant.name)} is disabled; none of its credentials is accepted any more.\n`)
    })
  return withExamples(command, 'portcullis tenant disable ten_0199a3c2-7b1e-7d42-9c55-0f8e2a6b4d10')
}
