import { create } from '@bufbuild/protobuf'
import {
  CreateAgentResponseSchema,
  CreateKeyResponseSchema,
  DisableAgentResponseSchema,
  IdentityService,
  ListAgentsResponseSchema,
  ListKeysResponseSchema,
  RevokeKeyResponseSchema,
} from '@portcullis/contract'
import { isPlatform, isRefusal, makeKey, refuse, sha256Hex, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import { agentMessage, agentNamePattern, grantRefusal, keyMessage } from './rules.ts'

const createAgent = write(
  IdentityService.method.createAgent,
  (message, { clock }) => {
    const fields = new Fields()
    const labels = Object.entries(message.labels)
    if (labels.length > 32) fields.wrong('labels', `at most 32, not ${labels.length}`)
    for (const [name, value] of labels) {
      fields.required('labels', name, 63)
      fields.text('labels', value, 200)
    }
    const args = {
      id: uuidv7(clock.now()),
      name: fields.required('name', message.name, 63),
      owner: fields.text('owner', message.owner, 200),
      labels: message.labels,
      allowedModels: fields.texts('allowedModels', message.allowedModels, 100, 200),
      allowedTools: fields.texts('allowedTools', message.allowedTools, 100, 200),
      createdAtMs: clock.now(),
    }
    if (!agentNamePattern.test(args.name))
      fields.wrong('name', 'must be lower-case letters, digits, dots, dashes and underscores')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'agent.create',
      key: args.name,
      args,
      answer: (row) =>
        row === undefined
          ? refuse('object.exists', `agent ${args.name} exists`)
          : { reply: create(CreateAgentResponseSchema, { agent: agentMessage({ ...args, disabledAtMs: null }) }) },
    })
  },
  ({ name, owner }) => ({ name, owner }),
)

const listAgents = read(
  IdentityService.method.listAgents,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.name === '' ? {} : { name: fields.text('name', message.name, 63) }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'agents',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.agents(scope, filter, page),
      agentMessage,
    )
    if (isRefusal(list)) return list
    return create(ListAgentsResponseSchema, { agents: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, name }) => ({ name, pageSize }),
)

const disableAgent = write(
  IdentityService.method.disableAgent,
  (message, { clock }) => {
    const fields = new Fields()
    const id = fields.id('agentId', message.agentId, 'agt')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'agent.disable',
      key: id,
      args: { id, atMs: clock.now() },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such agent')
          : { reply: create(DisableAgentResponseSchema, { agent: agentMessage(row) }) },
    })
  },
  ({ agentId }) => ({ agentId }),
)

const createKey = write(
  IdentityService.method.createKey,
  (message, { caller, clock, services }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const id = uuidv7(nowMs)
    const { text, secret } = makeKey(id)
    const expiresAtMs = message.expiresAt === undefined ? null : fields.moment('expiresAt', message.expiresAt)
    if (expiresAtMs !== null && expiresAtMs <= nowMs) fields.wrong('expiresAt', 'must be in the future')
    const args = {
      id,
      agentId: fields.id('agentId', message.agentId, 'agt'),
      digest: sha256Hex(secret),
      scopes: fields.texts('scopes', message.scopes, 50, 100).toSorted(),
      allowedModels: fields.texts('allowedModels', message.allowedModels, 100, 200),
      allowedTools: fields.texts('allowedTools', message.allowedTools, 100, 200),
      allowedCidrs: fields.cidrs('allowedCidrs', message.allowedCidrs),
      ratePerSecond: fields.integer('ratePerSecond', message.ratePerSecond, 0, 1_000_000) || null,
      rateBurst: fields.integer('rateBurst', message.rateBurst, 0, 10_000_000) || null,
      requireSignature: message.requireSignature,
      createdAtMs: nowMs,
      expiresAtMs,
    }
    // A key that is bound to a network, a rate or a time could otherwise make itself a free one.
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a key is made by an operator', { detail: 'only operators make keys' })
    const refusal = fields.refusal ?? grantRefusal(args.scopes, caller, services)
    if (refusal !== undefined) return refusal
    return effect({
      operation: 'key.create',
      key: id,
      args,
      changesCredentials: true,
      answer: (row) => {
        if (row === undefined) return refuse('object.not_found', 'no such agent')
        if (row.verdict === 'object.state')
          return refuse('object.state', 'agent disabled', { detail: 'the agent is disabled' })
        const apiKey = keyMessage({ ...args, revokedAtMs: null, lastUsedAtMs: null, replacedBy: null })
        // The key text leaves here and nowhere else: what is stored for a replay does not hold it.
        return {
          reply: create(CreateKeyResponseSchema, { apiKey, key: text.reveal() }),
          stored: create(CreateKeyResponseSchema, { apiKey }),
        }
      },
    })
  },
  ({ agentId, scopes }) => ({ agentId, scopes: scopes.slice(0, 50) }),
)

const listKeys = read(
  IdentityService.method.listKeys,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.agentId === '' ? {} : { agentId: fields.id('agentId', message.agentId, 'agt') }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'keys',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.keys(scope, filter, page),
      keyMessage,
    )
    if (isRefusal(list)) return list
    return create(ListKeysResponseSchema, { keys: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, agentId }) => ({ agentId, pageSize }),
)

const revokeKey = write(
  IdentityService.method.revokeKey,
  (message, { caller, clock }) => {
    const fields = new Fields()
    const id = fields.id('keyId', message.keyId, 'key')
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'key.revoke',
      key: id,
      args: {
        id,
        agentKeysOnly: caller.kind !== 'operator',
        platformToo: isPlatform(caller),
        atMs: clock.now(),
      },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such key')
          : { reply: create(RevokeKeyResponseSchema, { apiKey: keyMessage(row) }) },
    })
  },
  ({ keyId }) => ({ keyId }),
)

export const identityHandlers = [createAgent, listAgents, disableAgent, createKey, listKeys, revokeKey]
