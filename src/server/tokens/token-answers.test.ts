import { describe, expect, it } from 'vitest'
import { isRefusal, refuse, Secret, type Refusal, type VerifiedToken } from '#core'
import type { TokenHolder } from '#gate'
import { makeDecider } from '../decider.ts'
import { tokenAnswers } from './token-answers.ts'

const nowMs = 1_800_000_000_000
const clock = { now: () => nowMs, monotonic: () => 0 }
const tenant = { id: 'ten_1', name: 'main' }
const caller = {
  kind: 'service',
  id: 'app_1',
  tenant,
  scopes: new Set(['tickets:read']),
  credential: { kind: 'access_token', id: 'j' },
} as const
const good: VerifiedToken = {
  issuer: 'own',
  id: 'j',
  subject: 'app_1',
  clientId: 'app_1',
  scopes: new Set(['tickets:read']),
  expiresAtMs: nowMs + 2000,
  issuedAtMs: nowMs,
}

async function asked(
  verdict: VerifiedToken | Refusal | undefined,
  holder: TokenHolder | Refusal = { caller },
): Promise<{ readonly said: string; readonly verified: readonly string[] }> {
  const verified: string[] = []
  const verifier = {
    known: () => (verified.length > 0 ? verdict : undefined),
    verify: (text: string) => {
      verified.push(text)
      return Promise.resolve(verdict ?? refuse('auth.authority_unavailable', 'away'))
    },
  }
  const decider = makeDecider({
    clock,
    keys: {
      find: () => undefined,
      fresh: () => true,
      used: () => undefined,
      ofOwner: () => [],
      epoch: () => '1',
    },
    tokens: tokenAnswers({ verifier, tokens: { callerOf: () => holder }, clock }),
  })
  const credential = new Secret('a.b.c')
  await decider.ready?.([credential, new Secret('pc_not_a_token')])
  const found = decider.byCredential(credential, { tenant, address: undefined })
  return { said: isRefusal(found) ? found.code : `${found.caller.id} until ${found.expiresAtMs}`, verified }
}

describe('a token that another service asks about', () => {
  it('G22: is verified, and found by who it stands for, as long as it lasts', async () => {
    expect(await asked(good)).toEqual({ said: `app_1 until ${nowMs + 2000}`, verified: ['a.b.c'] })
  })

  it.each<readonly [string, VerifiedToken | Refusal | undefined, TokenHolder | Refusal, string]>([
    ['is wrong', refuse('auth.credential_invalid', 'x'), { caller }, 'auth.credential_invalid'],
    ['is of an issuer that is away', undefined, { caller }, 'auth.authority_unavailable'],
    ['is over', { ...good, expiresAtMs: nowMs }, { caller }, 'auth.credential_invalid'],
    ['was revoked', good, { caller, refusal: refuse('auth.credential_invalid', 'x') }, 'auth.credential_invalid'],
    ['is of nobody', good, refuse('auth.credential_invalid', 'x'), 'auth.credential_invalid'],
    [
      'lacks what its issuer must give',
      good,
      { caller, lacking: refuse('auth.scope_missing', 'x') },
      'auth.scope_missing',
    ],
    ['is bound to a key', { ...good, jkt: 'x' }, { caller }, 'auth.proof_invalid'],
    ['is bound to a certificate', { ...good, certificate: 'x' }, { caller }, 'auth.proof_invalid'],
  ])('G22: that %s is denied', async (_what, verdict, holder, code) => {
    expect((await asked(verdict, holder)).said).toBe(code)
  })
})
