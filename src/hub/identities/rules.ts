import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { AgentSchema, ApiKeySchema, type Agent, type ApiKey } from '@portcullis/contract'
import {
  commandLineId,
  publicId,
  refuse,
  scopes as knownScopes,
  type Caller,
  type Refusal,
  type ServiceActions,
} from '#core'
import { maskText } from '#ledger'
import type { AgentRow, KeyRow } from '../ports.ts'

export const agentNamePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** Nobody's app is between them: a key or a certificate of their own, or the command line that they signed in with. */
export function inPerson({ clientId }: Pick<Caller, 'clientId'>): boolean {
  return clientId === undefined || clientId === commandLineId
}

/**
 * What this caller can give to others: what it holds. Actions of registered services are nobody's from the beginning: an operator
 * gives them all, but not through an app, which has been allowed what it holds and no more (SPEC A5).
 */
export function grantableBy(maker: Caller, services: ServiceActions): ReadonlySet<string> {
  return maker.kind === 'operator' && inPerson(maker) ? new Set([...maker.scopes, ...services]) : maker.scopes
}

/** A key, an app or a certificate gets only scopes that exist and that its maker can give. */
export function grantRefusal(wanted: readonly string[], maker: Caller, services: ServiceActions): Refusal | undefined {
  if (wanted.length === 0) return refuse('input.invalid', 'no scopes', { detail: 'scopes needs at least one scope' })
  const unknown = wanted.find((scope) => !knownScopes.has(scope) && !services.has(scope))
  if (unknown !== undefined) {
    return refuse('input.invalid', `unknown scope ${unknown}`, {
      detail: `scopes must be among ${[...knownScopes.keys(), ...services].join(', ').slice(0, 2000)}`,
    })
  }
  const grantable = grantableBy(maker, services)
  const missing = wanted.find((scope) => !grantable.has(scope))
  return missing === undefined
    ? undefined
    : refuse('identity.scope_exceeds', `caller lacks ${missing}`, { detail: missing })
}

export function agentMessage(row: AgentRow): Agent {
  return create(AgentSchema, {
    id: publicId('agt', row.id),
    name: row.name,
    owner: maskText(row.owner),
    labels: Object.fromEntries(Object.entries(row.labels).map(([name, value]) => [maskText(name), maskText(value)])),
    allowedModels: row.allowedModels.map((model) => maskText(model)),
    allowedTools: row.allowedTools.map((tool) => maskText(tool)),
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.disabledAtMs === null ? {} : { disabledAt: timestampFromMs(row.disabledAtMs) }),
  })
}

export function keyMessage(row: KeyRow): ApiKey {
  return create(ApiKeySchema, {
    id: publicId('key', row.id),
    agentId: row.agentId === null ? '' : publicId('agt', row.agentId),
    scopes: [...row.scopes],
    createdAt: timestampFromMs(row.createdAtMs),
    ...(row.expiresAtMs === null ? {} : { expiresAt: timestampFromMs(row.expiresAtMs) }),
    ...(row.revokedAtMs === null ? {} : { revokedAt: timestampFromMs(row.revokedAtMs) }),
    ...(row.lastUsedAtMs === null ? {} : { lastUsedAt: timestampFromMs(row.lastUsedAtMs) }),
    allowedModels: row.allowedModels.map((model) => maskText(model)),
    allowedTools: row.allowedTools.map((tool) => maskText(tool)),
    allowedCidrs: [...row.allowedCidrs],
    ratePerSecond: row.ratePerSecond ?? 0,
    rateBurst: row.rateBurst ?? 0,
    requireSignature: row.requireSignature,
    replacedByKeyId: row.replacedBy === null ? '' : publicId('key', row.replacedBy),
  })
}
