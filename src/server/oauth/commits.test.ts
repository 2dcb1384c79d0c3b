import { describe, expect, it } from 'vitest'
import { refuse, systemClock, type Refusal } from '#core'
import type { LedgerRecord } from '#ledger'
import type { OAuthEvent, OAuthKind, Origin, Writes } from '#authority'
import { OAuthCommits } from './commits.ts'

const origin: Origin = {
  requestId: 'req_1',
  remote: '192.0.2.1',
  certificate: undefined,
  certificateAuthorized: false,
  certificateSubject: undefined,
  arrivedAt: 0,
}
const none = { grants: [], denials: [] }
const writes: Writes = { ...none, once: [], consume: [], destroy: [], upsert: [], lost: none }

function event(kind: OAuthKind): OAuthEvent {
  const route = '/v1/oauth/token'
  return { kind, route, app: undefined, subject: undefined, error: undefined, reason: undefined, args: {} }
}

/** `short`: what is refused for want of room. */
function over(short: 'nothing' | 'writes' | 'all') {
  const seen = { submitted: 0, kept: 0, offered: 0, counted: [] as string[], told: [] as LedgerRecord[] }
  const full = (last: boolean): Refusal | undefined =>
    short === 'all' || (short === 'writes' && !last) ? refuse('store.full', '1 bytes free') : undefined
  const commits = new OAuthCommits({
    late: () => ({
      writer: {
        submit: async () => {
          seen.submitted += 1
          return { refused: false } as never
        },
      },
      floods: {
        anonymous: async (_remote, _code, record) => void seen.told.push(record()),
        ownDenial: () => true,
      },
      bestEffort: {
        offer: () => {
          seen.offered += 1
          return true
        },
        offerOrCount: () => undefined,
      },
      refresh: async () => undefined,
    }),
    operators: { find: () => undefined },
    clock: systemClock,
    full,
    keep: async () => {
      seen.kept += 1
      return 'done'
    },
    counted: (kind, error) => seen.counted.push(`${kind} ${error}`),
    failed: () => undefined,
    fault: (error) => {
      throw error
    },
  })
  return { commits, seen }
}

const issued = event('token.issued')

describe('the authorization server, where the store is short of space', () => {
  it('O14: gives nothing and writes nothing, and the refusal is one of those that are counted', async () => {
    const { commits, seen } = over('writes')
    expect(await commits.commit(origin, issued, writes, issued)).toBe('full')
    expect(await commits.commit(origin, issued, undefined, issued)).toBe('full')
    expect(await commits.keep(writes, false)).toBe('full')
    expect([seen.submitted, seen.kept]).toEqual([0, 0])
    expect(seen.counted).toEqual(Array(2).fill('token.refused temporarily_unavailable'))
    expect(seen.told[0]).toMatchObject({ log: 'system', outcome: 'deny', code: 'oauth.temporarily_unavailable' })
  })

  it.each(['token.revoked', 'session.ended', 'refresh_replay', 'code_replay'] as const)(
    'O14: lets %s through, until there is no room for anything',
    async (kind) => {
      const short = over('writes')
      expect(await short.commits.commit(origin, event(kind), writes, event(kind))).not.toBe('full')
      expect(short.seen.submitted).toBe(1)
      const out = over('all')
      expect(await out.commits.commit(origin, event(kind), writes, event(kind))).toBe('full')
      expect(out.seen.submitted).toBe(0)
    },
  )

  it('O14: lets a sign-out go on from page to page, and says what it knows of a token', async () => {
    const short = over('writes')
    expect(await short.commits.keep(writes, true)).toBe('done')
    expect(await short.commits.note(origin, event('token.introspected'))).toBe('done')
    expect([short.seen.kept, short.seen.offered]).toEqual([1, 1])
    const out = over('all')
    expect(await out.commits.keep(writes, true)).toBe('full')
    expect(await out.commits.note(origin, event('token.introspected'))).toBe('full')
    expect([out.seen.kept, out.seen.offered]).toEqual([0, 0])
  })

  it('O14: with room, everything is as before', async () => {
    const { commits, seen } = over('nothing')
    await commits.commit(origin, issued, writes, issued)
    expect(await commits.keep(writes, false)).toBe('done')
    expect([seen.submitted, seen.kept, seen.told]).toEqual([1, 1, []])
  })
})
