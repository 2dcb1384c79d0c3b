import { setTimeout as pause } from 'node:timers/promises'
import { IdentityService, TenantService } from '@portcullis/contract'
import { Secret } from '#core'
import type { Calls } from './calls.ts'
import { roles } from './roles.ts'

/** The tenant of a demo with its five agents. */
export interface Team {
  readonly tenantId: string
  readonly tenantName: string
  /** Of the tenant's own admin. */
  readonly adminKey: Secret
  /** In the order of `roles`. */
  readonly agents: readonly TeamAgent[]
}

export interface TeamAgent {
  readonly id: string
  readonly name: string
  readonly key: Secret
  /** A second key with a rate so small that a loop runs into it. */
  readonly slowKey: Secret
}

const scopes = ['tasks:write', 'telemetry:write', 'budget:spend']
const rate = { ratePerSecond: 100_000, rateBurst: 1_000_000 }
const slowRate = { ratePerSecond: 1, rateBurst: 3 }
// Other replicas learn of a new key with a notice, or at the latest with their next look.
export const learnMs = 300

/** Makes the tenant with the key of a platform admin, and everything else with the key of the tenant's admin. */
export async function makeTeam(calls: Calls, platformKey: Secret, tenantName: string): Promise<Team> {
  const { tenant, key } = await calls.must(TenantService.method.create, { name: tenantName }, { key: platformKey })
  if (key === '') throw new Error(`the reply with the key of tenant ${tenantName} was lost; run the demo once more`)
  const adminKey = new Secret(key)
  await pause(learnMs)
  const agents = await Promise.all(roles.map(({ name, owner }) => makeAgent(calls, adminKey, name, owner)))
  await pause(learnMs)
  return { tenantId: tenant?.id ?? '', tenantName, adminKey, agents }
}

async function makeAgent(calls: Calls, adminKey: Secret, name: string, owner: string): Promise<TeamAgent> {
  const as = { key: adminKey }
  const labels = { origin: 'demo' }
  const { agent } = await calls.must(IdentityService.method.createAgent, { name, owner, labels }, as)
  const agentId = agent?.id ?? ''
  const makeKey = async (keyRate: typeof rate): Promise<Secret> => {
    const { key } = await calls.must(IdentityService.method.createKey, { agentId, scopes, ...keyRate }, as)
    if (key === '') throw new Error(`the reply with the key of agent ${name} was lost; run the demo once more`)
    return new Secret(key)
  }
  return { id: agentId, name, key: await makeKey(rate), slowKey: await makeKey(slowRate) }
}
