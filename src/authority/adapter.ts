import type { Adapter, AdapterPayload } from 'oidc-provider'
import type { StoredArtefact } from './artefacts.ts'
import { clientMetadata, usableApp } from './client.ts'
import type { AppDirectory, DenialDirectory } from './ports.ts'
import type { RequestWrites } from './request-writes.ts'

interface AdapterParts {
  /** Of the request under way. */
  readonly writesNow: () => RequestWrites | undefined
  readonly apps: AppDirectory
  readonly denials: DenialDirectory
  readonly issuer: string
  readonly nowMs: () => number
}

const singleUse = new Set(['AuthorizationCode', 'RefreshToken', 'PushedAuthorizationRequest'])
// What a code or refresh token that was used lives on for: long enough to be refused as used, not as expired.
const usedSeconds = 60

/** The storage of `oidc-provider`: clients from memory, all else through what the request under way has written (SPEC A6). */
export function adapterOf({ writesNow, apps, denials, issuer, nowMs }: AdapterParts): (model: string) => Adapter {
  const writes = (): RequestWrites => {
    const current = writesNow()
    if (current === undefined) throw new Error('the authorization server was used outside of a request')
    return current
  }
  return (model) => {
    if (model === 'Client') return clients(apps)
    return {
      find: async (id) => {
        if (model === 'Grant' && denials.denied('', id)) return undefined
        // Whether a proof was used before is decided when it is written: see `once`.
        if (model === 'ReplayDetection') return undefined
        return restored(await writes().find(model, id), id)
      },
      findByUid: async (uid) => restored(await writes().findByUid(model, uid), undefined),
      findByUserCode: async () => undefined,
      upsert: async (id, payload, expiresIn = 60) => {
        if (model === 'ReplayDetection') writes().once(model, id, nowMs() + expiresIn * 1000)
        else writes().upsert(model, id, bare(payload), expiresIn)
      },
      consume: async (id) => {
        const found = await writes().find(model, id)
        const grantId = found?.payload['grantId']
        writes().consume(model, id, typeof grantId === 'string' ? grantId : undefined)
      },
      destroy: async (id) => {
        if (model === 'Grant') writes().endGrant(id)
        else writes().destroy(model, id)
      },
      revokeByGrantId: async (grantId) => writes().endGrant(grantId),
    }
  }

  function restored(found: StoredArtefact | undefined, id: string | undefined): AdapterPayload | undefined {
    if (found === undefined || (found.expired && !found.consumed)) return undefined
    const { payload, consumed } = found
    const nowSeconds = Math.floor(nowMs() / 1000)
    return {
      ...payload,
      ...(id === undefined ? {} : { jti: id }),
      ...(kindOf(payload) === 'Interaction' && id !== undefined
        ? { returnTo: `${issuer}/v1/oauth/authorize/${id}` }
        : {}),
      ...(consumed && singleUse.has(kindOf(payload)) ? { consumed: nowSeconds, exp: nowSeconds + usedSeconds } : {}),
    }
  }
}

function kindOf(payload: Readonly<Record<string, unknown>>): string {
  return String(payload['kind'])
}

/** Without what would let a reader of the database act: the value itself, and other values in it. */
function bare(payload: AdapterPayload): Readonly<Record<string, unknown>> {
  const { jti: _jti, returnTo: _returnTo, ...rest } = payload
  if (rest['session'] === undefined) return rest
  const { cookie: _cookie, ...session } = { ...rest.session }
  return { ...rest, session }
}

function clients(apps: AppDirectory): Adapter {
  const never = async (): Promise<never> => {
    throw new Error('apps are registered through IdentityService')
  }
  return {
    find: async (id) => {
      const app = usableApp(apps, id)
      return app && clientMetadata(app)
    },
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    upsert: never,
    consume: never,
    destroy: never,
    revokeByGrantId: never,
  }
}
