import { create } from '@bufbuild/protobuf'
import {
  EngageResponseSchema,
  KillScopeKind,
  KillScopeKindSchema,
  KillService,
  KillServiceListResponseSchema,
  KillServiceReleaseResponseSchema,
  type KillScope,
} from '@portcullis/contract'
import { isPlatform, isRefusal, refuse, type Caller } from '#core'
import { modelName } from '../costs/model-names.ts'
import { Fields } from '../fields.ts'
import { bare, read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { enumName, sizes } from '../runs/rules.ts'
import { engageEffect, mayRelease, releaseEffect } from './effects.ts'
import { killMessage, subjectIds } from './messages.ts'

const reasonMax = 500

const engage = write(
  KillService.method.engage,
  (message, { caller, clock, kills }) => {
    const fields = new Fields()
    const nowMs = clock.now()
    const { kind, subject } = readScopeOf(fields, message.scope, caller)
    const reason = fields.required('reason', message.reason, reasonMax)
    if (reason !== '' && reason.trim() === '') fields.wrong('reason', 'must say something')
    const expiresAtMs = message.expiresAt === undefined ? null : fields.moment('expiresAt', message.expiresAt)
    if (expiresAtMs !== null && expiresAtMs <= nowMs) fields.wrong('expiresAt', 'must be in the future')
    if (fields.refusal !== undefined) return fields.refusal
    if (kind === KillScopeKind.EVERYTHING && !isPlatform(caller))
      return refuse('auth.scope_missing', 'everything is stopped by who runs the platform', {
        detail: 'everything is stopped by operators of the platform alone: needs tenants:write',
      })
    return engageEffect({
      caller,
      nowMs,
      kills,
      scope: kind,
      subject,
      reason,
      expiresAtMs,
      answer: (kill) => ({ reply: create(EngageResponseSchema, { kill: killMessage(kill) }) }),
    })
  },
  ({ scope, reason }) => ({ id: scope?.id ?? '', kind: kindName(scope), reason }),
)

const release = write(
  KillService.method.release,
  (message, { caller, clock, kills }) => {
    const fields = new Fields()
    const id = fields.id('killId', message.killId, 'kil')
    const reason = fields.text('reason', message.reason, reasonMax)
    const refusal = fields.refusal ?? mayRelease(caller)
    if (refusal !== undefined) return refusal
    return releaseEffect({
      caller,
      nowMs: clock.now(),
      kills,
      id,
      reason,
      answer: (kill) => ({
        reply: create(KillServiceReleaseResponseSchema, kill === undefined ? {} : { kill: killMessage(kill) }),
      }),
    })
  },
  ({ killId, reason }) => ({ killId, reason }),
)

const list = read(
  KillService.method.list,
  async (message, { caller, clock, reader }) => {
    const scope = readScope(caller, isPlatform(caller))
    const filter = message.engagedOnly ? { engagedAtMs: clock.now() } : {}
    const found = await listPage(
      'kills',
      { engagedOnly: message.engagedOnly, tenant: scope.tenantId },
      message,
      (page) => reader.kills(scope, filter, page),
      killMessage,
    )
    if (isRefusal(found)) return found
    return create(KillServiceListResponseSchema, { kills: [...found.items], nextPageToken: found.nextPageToken })
  },
  ({ pageSize, engagedOnly }) => ({ engagedOnly, pageSize }),
)

function readScopeOf(
  fields: Fields,
  scope: KillScope | undefined,
  caller: Caller,
): { readonly kind: KillScopeKind; readonly subject: string } {
  const kind = fields.choice('scope.kind', scope?.kind ?? KillScopeKind.UNSPECIFIED, kinds, kindNames)
  const id = scope?.id ?? ''
  if (kind === KillScopeKind.EVERYTHING) {
    if (id !== '') fields.wrong('scope.id', 'must be empty: everything has none')
    return { kind, subject: '' }
  }
  if (kind === KillScopeKind.TENANT && id === '') return { kind, subject: bare(caller.tenant.id) }
  const prefix = subjectIds[kind]
  const name = kind === KillScopeKind.MODEL ? modelName(id) : id
  return {
    kind,
    subject: prefix === undefined ? fields.required('scope.id', name, sizes.name) : fields.id('scope.id', id, prefix),
  }
}

const kinds: readonly KillScopeKind[] = [
  KillScopeKind.EVERYTHING,
  KillScopeKind.TENANT,
  KillScopeKind.AGENT,
  KillScopeKind.KEY,
  KillScopeKind.MODEL,
  KillScopeKind.TOOL,
  KillScopeKind.JOB_KIND,
]
const kindNames = 'EVERYTHING, TENANT, AGENT, KEY, MODEL, TOOL, JOB_KIND'

function kindName(scope: KillScope | undefined): string {
  return enumName(KillScopeKindSchema, scope?.kind ?? KillScopeKind.UNSPECIFIED)
}

export const killHandlers = [engage, release, list]
