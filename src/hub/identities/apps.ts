import { create } from '@bufbuild/protobuf'
import {
  CreateAppResponseSchema,
  DisableAppResponseSchema,
  IdentityService,
  ListAppsResponseSchema,
  RotateAppSecretResponseSchema,
} from '@portcullis/contract'
import { isRefusal, makeClientSecret, refuse, uuidv7 } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect } from '../ports.ts'
import { appFields, appMessage, hasSecret, overlapSecondsMax } from './app-rules.ts'
import { agentNamePattern, grantableBy, grantRefusal } from './rules.ts'

const byOperators = 'only operators make apps and their secrets'

const createApp = write(
  IdentityService.method.createApp,
  (message, { caller, clock, services }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const id = uuidv7(nowMs)
    const given = appFields(fields, message)
    const secret = hasSecret(given.authMethod) ? makeClientSecret() : undefined
    const args = {
      id,
      name: fields.required('name', message.name, 63),
      agentId: message.agentId === '' ? null : fields.id('agentId', message.agentId, 'agt'),
      scopes: fields.texts('scopes', message.scopes, 50, 100).toSorted(),
      ...given,
      secretDigest: secret?.digest ?? null,
      createdAtMs: nowMs,
    }
    if (!agentNamePattern.test(args.name))
      fields.wrong('name', 'must be lower-case letters, digits, dots, dashes and underscores')
    // As with keys: a key that is bound to a network, a rate or a time could otherwise make itself a free credential.
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'an app is made by an operator', { detail: byOperators })
    const refusal = fields.refusal ?? grantRefusal(args.scopes, caller, services)
    if (refusal !== undefined) return refusal
    return effect({
      operation: 'app.create',
      key: args.name,
      args,
      changesCredentials: true,
      answer: (row) => {
        if (row === undefined) return refuse('object.not_found', 'no such agent')
        if (row.verdict === 'object.exists') return refuse('object.exists', `app ${args.name} exists`)
        if (row.verdict === 'object.state')
          return refuse('object.state', 'agent disabled', { detail: 'the agent is disabled' })
        const secretCreatedAtMs = secret === undefined ? null : nowMs
        const app = appMessage({ ...args, secretCreatedAtMs, oldSecretExpiresAtMs: null, disabledAtMs: null }, nowMs)
        // The secret leaves here and nowhere else: what is stored for a replay does not hold it.
        return {
          reply: create(CreateAppResponseSchema, { app, clientSecret: secret?.text.reveal() ?? '' }),
          stored: create(CreateAppResponseSchema, { app }),
        }
      },
    })
  },
  ({ name, agentId, scopes, grantTypes, authMethod }) => ({
    name,
    agentId,
    authMethod,
    grantTypes: grantTypes.slice(0, 3),
    scopes: scopes.slice(0, 50),
  }),
)

const listApps = read(
  IdentityService.method.listApps,
  async (message, { caller, clock, reader }) => {
    const fields = new Fields()
    const filter = message.name === '' ? {} : { name: fields.text('name', message.name, 63) }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const nowMs = clock.now()
    const list = await listPage(
      'apps',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.apps(scope, filter, page),
      (row) => appMessage(row, nowMs),
    )
    if (isRefusal(list)) return list
    return create(ListAppsResponseSchema, { apps: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, name }) => ({ name, pageSize }),
)

const rotateAppSecret = write(
  IdentityService.method.rotateAppSecret,
  (message, { caller, clock, services }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const secret = makeClientSecret()
    const id = fields.id('appId', message.appId, 'app')
    const overlapSeconds = fields.integer('overlapSeconds', message.overlapSeconds, 0, overlapSecondsMax)
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a secret is made by an operator', { detail: byOperators })
    if (fields.refusal !== undefined) return fields.refusal
    return effect({
      operation: 'app.rotate_secret',
      key: id,
      // Who has the secret has the scopes of the app: whoever makes one must be able to grant them.
      args: {
        id,
        secretDigest: secret.digest,
        overlapSeconds,
        grantable: [...grantableBy(caller, services)],
        atMs: nowMs,
      },
      changesCredentials: true,
      answer: (row) => {
        if (row === undefined) return refuse('object.not_found', 'no such app')
        if (row.verdict === 'scopes')
          return refuse('identity.scope_exceeds', 'the app has scopes that the caller lacks', {
            detail: 'the app has scopes that you lack',
          })
        if (row.verdict !== 'done') return refuse('object.state', row.verdict, { detail: notRotated[row.verdict] })
        const app = appMessage(row, nowMs)
        return {
          reply: create(RotateAppSecretResponseSchema, { app, clientSecret: secret.text.reveal() }),
          stored: create(RotateAppSecretResponseSchema, { app }),
        }
      },
    })
  },
  ({ appId, overlapSeconds }) => ({ appId, overlapSeconds }),
)

const notRotated = {
  disabled: 'the app is disabled',
  no_secret: 'the app has no secret: it shows who it is in another way',
  rotating: 'another rotation of this app came first: its secret is the one that counts',
} as const

const disableApp = write(
  IdentityService.method.disableApp,
  (message, { clock }) => {
    const fields = new Fields()
    const id = fields.id('appId', message.appId, 'app')
    if (fields.refusal !== undefined) return fields.refusal
    const nowMs = clock.now()
    return effect({
      operation: 'app.disable',
      key: id,
      args: { id, atMs: nowMs },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such app')
          : { reply: create(DisableAppResponseSchema, { app: appMessage(row, nowMs) }) },
    })
  },
  ({ appId }) => ({ appId }),
)

export const appHandlers = [createApp, listApps, rotateAppSecret, disableApp]
