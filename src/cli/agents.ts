import type { Client } from './client.ts'
import { CliError } from './errors.ts'
import { nearest } from './nearest.ts'
import { readPages } from './pages.ts'
import { agentPage } from './replies.ts'

/** The id of the agent that a person names by id or by name. */
export async function findAgentId(client: Client, agent: string): Promise<string> {
  if (/^agt_[0-9a-f-]{36}$/.test(agent)) return agent
  const { rows } = await readPages(client, 'IdentityService/ListAgents', { name: agent }, agentPage, 1)
  const found = rows[0]
  if (found?.name === agent) return found.id
  const known = await readPages(client, 'IdentityService/ListAgents', {}, agentPage, 1000)
  const meant = await nearest(
    agent,
    known.rows.map(({ name }) => name),
  )
  throw new CliError('refused', 'object.not_found', `There is no agent ${agent}.`, {
    todo:
      meant === undefined
        ? 'See `portcullis agent list`, or make it with `portcullis agent create`.'
        : `Did you mean ${meant}?`,
  })
}
