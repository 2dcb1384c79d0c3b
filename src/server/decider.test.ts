import { describe, expect, it } from 'vitest'
import { isRefusal, keyPartOf, makeKey, parseCidr, Secret, sha256, uuidv7 } from '#core'
import type { KeyRecord } from '#gate'
import { makeDecider } from './decider.ts'
import { legacyPort } from './legacy-token.ts'

const nowMs = 1_800_000_000_000
const tenant = { id: 'ten_1', name: 'main' }
const here = { tenant, address: undefined }
const clock = { now: () => nowMs, monotonic: () => 0 }

function keyWith(changes: Partial<KeyRecord> = {}): { record: KeyRecord; text: Secret; part: string } {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const record: KeyRecord = {
    id: `key_${uuid}`,
    digest: sha256(secret),
    owner: { kind: 'agent', id: 'agt_1' },
    tenant,
    scopes: new Set(['tickets:read']),
    expiresAtMs: undefined,
    revokedAtMs: undefined,
    ownerDisabled: false,
    tenantDisabled: false,
    allowedCidrs: [],
    rate: undefined,
    ...changes,
  }
  return { record, text, part: keyPartOf(uuid) }
}

function deciderOver(keys: readonly ReturnType<typeof keyWith>[], fresh = true) {
  const used: string[] = []
  const directory = {
    find: (part: string) => keys.find((key) => key.part === part)?.record,
    fresh: () => fresh,
    used: (key: KeyRecord) => void used.push(key.id),
    ofOwner: (id: string) => keys.map(({ record }) => record).filter(({ owner }) => owner.id === id),
    epoch: () => '12',
  }
  const legacy = legacyPort(
    { token: new Secret('a-shared-token'), tenant: 'main', scopes: [] },
    { tenant: () => tenant },
  )
  return { decider: makeDecider({ clock, keys: directory, legacy }), used }
}

const codeOf = (found: object): string => (isRefusal(found) ? found.code : 'found')

describe('who a checked party is', () => {
  it('G22: is found by its key, which was used then', () => {
    const key = keyWith({ expiresAtMs: nowMs + 1 })
    const { decider, used } = deciderOver([key])
    expect(decider.byCredential(key.text, here)).toMatchObject({
      refused: false,
      caller: { id: 'agt_1', kind: 'agent', tenant },
      expiresAtMs: nowMs + 1,
    })
    expect([used, decider.epoch()]).toEqual([[key.record.id], '12'])
  })

  it.each([
    ['revoked', { revokedAtMs: nowMs }],
    ['expired', { expiresAtMs: nowMs }],
    ['of a disabled owner', { ownerDisabled: true }],
    ['of a disabled tenant', { tenantDisabled: true }],
  ])('G22: is nobody where the key is %s, by credential and by id', (_name, changes) => {
    const key = keyWith(changes)
    const { decider } = deciderOver([key])
    expect(codeOf(decider.byCredential(key.text, here))).toBe('auth.credential_invalid')
    expect(codeOf(decider.byCaller('agt_1', here))).toBe('object.not_found')
  })

  it('G22: is nobody for any other text', () => {
    const { decider } = deciderOver([keyWith()])
    for (const text of ['', 'nonsense', makeKey(uuidv7()).text.reveal(), 'a\0b'])
      expect(codeOf(decider.byCredential(new Secret(text), here))).toBe('auth.credential_invalid')
    expect(codeOf(decider.byCaller('agt_2', here))).toBe('object.not_found')
  })

  it('G22: needs an address of its networks, where its key is bound to some', () => {
    const key = keyWith({ allowedCidrs: [parseCidr('10.0.0.0/8')] })
    const { decider } = deciderOver([key])
    const denied = 'auth.address_denied'
    const addresses = [undefined, '', '192.0.2.1', '10.1.2.3']
    const codes = addresses.map((address) => codeOf(decider.byCredential(key.text, { tenant, address })))
    expect(codes).toEqual([denied, denied, denied, 'found'])
    const byId = addresses.map((address) => codeOf(decider.byCaller('agt_1', { tenant, address })))
    expect(byId).toEqual([denied, denied, denied, 'found'])
  })

  it('G22: by its id has nothing of a key whose networks it may not be in', () => {
    const bound = { allowedCidrs: [parseCidr('10.0.0.0/8')], scopes: new Set(['tickets:write']) }
    const { decider } = deciderOver([keyWith(), keyWith(bound)])
    const scopes = (address: string | undefined): readonly string[] => {
      const found = decider.byCaller('agt_1', { tenant, address })
      if (isRefusal(found)) throw new Error(found.code)
      return [...found.caller.scopes].filter((scope) => scope.startsWith('tickets:')).toSorted()
    }
    expect(scopes(undefined)).toEqual(['tickets:read'])
    expect(scopes('10.1.2.3')).toEqual(['tickets:read', 'tickets:write'])
  })

  it('G22: of another tenant is nobody, whatever state its key is in, and is not noted as seen', () => {
    for (const changes of [{}, { revokedAtMs: nowMs }, { allowedCidrs: [parseCidr('10.0.0.0/8')] }]) {
      const key = keyWith({ tenant: { id: 'ten_2', name: 'other' }, ...changes })
      const { decider, used } = deciderOver([key])
      const unknown = decider.byCredential(makeKey(uuidv7()).text, here)
      expect(decider.byCredential(key.text, here)).toEqual(unknown)
      expect(decider.byCaller('agt_1', here)).toEqual(decider.byCaller('agt_2', here))
      expect(used).toEqual([])
    }
  })

  it('G22: by its id may do what any of its usable keys allows, until the first of them expires', () => {
    const keys = [
      keyWith({ expiresAtMs: nowMs + 9000 }),
      keyWith({ scopes: new Set(['admin:read']), expiresAtMs: nowMs + 2000 }),
      keyWith({ scopes: new Set(['tickets:write']), revokedAtMs: nowMs - 1 }),
    ]
    const found = deciderOver(keys).decider.byCaller('agt_1', here)
    if (isRefusal(found)) throw new Error(found.code)
    expect([...found.caller.scopes].toSorted()).toEqual(['admin:read', 'tasks:read', 'telemetry:read', 'tickets:read'])
    expect(found.expiresAtMs).toBe(nowMs + 2000)
  })

  it('G8: is never who has the legacy token: it could be guessed at without a cost', () => {
    const found = deciderOver([]).decider.byCredential(new Secret('a-shared-token'), here)
    expect(codeOf(found)).toBe('auth.credential_invalid')
  })

  it('G20: is nobody while the keys in memory are older than their lease', () => {
    const key = keyWith()
    const { decider } = deciderOver([key], false)
    expect([codeOf(decider.byCredential(key.text, here)), codeOf(decider.byCaller('agt_1', here))]).toEqual([
      'store.unavailable',
      'store.unavailable',
    ])
  })
})
