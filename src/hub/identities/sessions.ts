import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  IdentityService,
  ListSessionsResponseSchema,
  RevokeSessionResponseSchema,
  SessionSchema,
  type Session,
} from '@portcullis/contract'
import { isPlatform, isRefusal, publicId, refuse } from '#core'
import { Fields } from '../fields.ts'
import { read, readScope, write } from '../handler.ts'
import { listPage } from '../paging.ts'
import { effect, type SessionRow } from '../ports.ts'

const listSessions = read(
  IdentityService.method.listSessions,
  async (message, { caller, reader }) => {
    const fields = new Fields()
    const filter = message.operatorId === '' ? {} : { operatorId: fields.id('operatorId', message.operatorId, 'opr') }
    if (fields.refusal !== undefined) return fields.refusal
    const scope = readScope(caller, false)
    const list = await listPage(
      'sessions',
      { ...filter, tenant: scope.tenantId },
      message,
      (page) => reader.sessions(scope, filter, page),
      sessionMessage,
    )
    if (isRefusal(list)) return list
    return create(ListSessionsResponseSchema, { sessions: [...list.items], nextPageToken: list.nextPageToken })
  },
  ({ pageSize, operatorId }) => ({ operatorId, pageSize }),
)

const revokeSession = write(
  IdentityService.method.revokeSession,
  (message, { caller }) => {
    const fields = new Fields()
    const id = fields.id('sessionId', message.sessionId, 'ses')
    if (fields.refusal !== undefined) return fields.refusal
    if (caller.kind !== 'operator')
      return refuse('identity.scope_exceeds', 'a session is ended by an operator', {
        detail: 'only operators end sessions',
      })
    return effect({
      operation: 'session.revoke',
      key: id,
      args: { id, platformToo: isPlatform(caller) },
      changesCredentials: true,
      answer: (row) =>
        row === undefined
          ? refuse('object.not_found', 'no such session')
          : { reply: create(RevokeSessionResponseSchema, { session: sessionMessage(row) }) },
    })
  },
  ({ sessionId }) => ({ sessionId }),
)

function sessionMessage(row: SessionRow): Session {
  return create(SessionSchema, {
    id: publicId('ses', row.id),
    operatorId: publicId('opr', row.operatorId),
    appId: row.appId ?? '',
    createdAt: timestampFromMs(row.createdAtMs),
    expiresAt: timestampFromMs(row.expiresAtMs),
    ...(row.revokedAtMs === null ? {} : { revokedAt: timestampFromMs(row.revokedAtMs) }),
  })
}

export const sessionHandlers = [listSessions, revokeSession]
