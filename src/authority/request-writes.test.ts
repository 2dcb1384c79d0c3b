import { describe, expect, it } from 'vitest'
import { sha256Hex } from '#core'
import type { StoredArtefact } from './artefacts.ts'
import { denialDigest, RequestWrites } from './request-writes.ts'

const stored: StoredArtefact = { payload: { kind: 'RefreshToken', grantId: 'grn_1' }, consumed: false, expired: false }
const denying = { tenantId: 't', untilMs: 9000 }

function over(rows: Readonly<Record<string, StoredArtefact>>): RequestWrites {
  const find = async (model: string, digest: string) => rows[`${model} ${digest}`]
  return new RequestWrites({ find, findByUid: async () => undefined, grantsUnder: async () => [] }, () => 1000)
}

describe('the writes of a request', () => {
  it('A6: are seen by the request before they are anywhere else', async () => {
    const writes = over({})
    writes.upsert('Session', 'id', { kind: 'Session', uid: 'u' }, 10)
    expect(await writes.find('Session', 'id')).toMatchObject({ payload: { uid: 'u' } })
    expect(await writes.findByUid('Session', 'u')).toMatchObject({ payload: { uid: 'u' } })
    writes.destroy('Session', 'id')
    expect(await writes.find('Session', 'id')).toBeUndefined()
  })

  it('A6: name what they are about by digests alone', () => {
    const writes = over({})
    writes.upsert('RefreshToken', 'the token itself', { grantId: 'grn_1' }, 10)
    writes.consume('RefreshToken', 'the one before', 'grn_1')
    writes.once('ReplayDetection', 'the proof', 5000)
    const all = JSON.stringify(writes.result(denying))
    for (const value of ['the token itself', 'the one before', 'the proof']) expect(all).not.toContain(value)
    expect(all).toContain(sha256Hex('the token itself'))
  })

  it('A7: where another request was first, the grant of what was used ends, and nothing else happens', () => {
    const writes = over({})
    writes.consume('RefreshToken', 'one', 'grn_1')
    const { denials, grants, lost } = writes.result(denying)
    expect([denials, grants]).toEqual([[], []])
    expect(lost.grants).toEqual([sha256Hex('grn_1')])
    expect(lost.denials).toMatchObject([{ tenantId: 't', digest: denialDigest('grant', 'grn_1'), expiresAtMs: 9000 }])
  })

  it('A7: what was used before is seen as used', async () => {
    const writes = over({ [`RefreshToken ${sha256Hex('one')}`]: { ...stored, consumed: true } })
    expect((await writes.find('RefreshToken', 'one'))?.consumed).toBe(true)
    expect(writes.used.has('RefreshToken')).toBe(true)
  })

  it('A6: nothing is stored for a grant that ends in the same request', () => {
    const writes = over({})
    writes.upsert('RefreshToken', 'next', { grantId: 'grn_1' }, 10)
    writes.endGrant('grn_1')
    expect(writes.result(denying)).toMatchObject({ upsert: [], grants: [sha256Hex('grn_1')] })
  })

  it('A7: who signs out ends what was granted under the session, all of it or that of one app', async () => {
    const given = [
      { grantId: 'grn_1', clientId: 'app_1' },
      { grantId: 'grn_2', clientId: 'app_2' },
    ]
    const store = { find: async () => undefined, findByUid: async () => undefined }
    const under = (uid: string) => (uid === sha256Hex('the session') ? given : [])
    const ended = async (clientId: string | undefined) => {
      const writes = new RequestWrites({ ...store, grantsUnder: async (uid) => under(uid) }, () => 1000)
      await writes.endGrantsUnder('the session', clientId)
      return writes.result(denying).grants
    }
    expect(await ended(undefined)).toEqual([sha256Hex('grn_1'), sha256Hex('grn_2')])
    expect(await ended('app_2')).toEqual([sha256Hex('grn_2')])
  })

  it('A7: a grant is kept with its session by digests', () => {
    const writes = over({})
    writes.keepUnder('the session', { grantId: 'grn_1', clientId: 'app_1' }, 5000)
    const [row] = writes.result(denying).upsert
    expect(row).toMatchObject({ uidDigest: sha256Hex('the session'), grantDigest: sha256Hex('grn_1') })
    expect(JSON.stringify(row)).not.toContain('the session')
  })

  it('A6: a request that wrote nothing says so', () => {
    expect(over({}).isEmpty).toBe(true)
    const writes = over({})
    writes.deny({ tenantId: 't', digest: 'd', reason: 'r', expiresAtMs: 1 })
    expect(writes.isEmpty).toBe(false)
  })
})
