import { InvalidArgumentError } from 'commander'
import { findAgentId } from './agents.ts'
import type { Client } from './client.ts'

export interface ScopeText {
  readonly kind: string
  readonly id: string
}

/** What a person writes for each kind of scope, and what the contract has. */
const kinds: Readonly<Record<string, string>> = {
  everything: 'EVERYTHING',
  tenant: 'TENANT',
  agent: 'AGENT',
  key: 'KEY',
  model: 'MODEL',
  tool: 'TOOL',
  job: 'JOB_KIND',
}
const help =
  'Write everything, tenant, tenant:ten_…, agent:NAME, agent:agt_…, key:key_…, model:NAME, tool:NAME or job:KIND.'
const prefix = 'KILL_SCOPE_KIND_'

/** `agent:researcher`, `model:gpt-5`, `everything`. */
export function parseKillScope(text: string): ScopeText {
  const [word = '', ...rest] = text.split(':')
  const kind = kinds[word]
  const id = rest.join(':')
  if (kind === undefined || !Object.hasOwn(kinds, word)) throw new InvalidArgumentError(help)
  if (id === '' && word !== 'everything' && word !== 'tenant') throw new InvalidArgumentError(help)
  if (id !== '' && word === 'everything') throw new InvalidArgumentError(help)
  return { kind: `${prefix}${kind}`, id }
}

/** As the contract has it: an agent may be named. */
export async function scopeMessage(client: Client, { kind, id }: ScopeText): Promise<ScopeText> {
  return kind === `${prefix}AGENT` ? { kind, id: await findAgentId(client, id) } : { kind, id }
}

/** `agent agt_…`, as it is shown. */
export function scopeWords({ kind, id }: ScopeText): string {
  const word = kind.slice(prefix.length).toLowerCase().replaceAll('_', ' ')
  return id === '' ? word : `${word} ${id}`
}
