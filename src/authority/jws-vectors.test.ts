import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { rfc, wycheproof, type JwsVector } from './jws-vectors.fixture.ts'
import { signatureIsRight } from './jws-signature.ts'
import { parseCompact } from './strict-jws.ts'
import { trustedKey } from './trusted-key.ts'

const whole = join(import.meta.dirname, '../../../shared/vectors/wycheproof/json_web_signature_test.json')
const wholeAbsent = !existsSync(whole)

/** As the verifier of tokens does, but for what the payload says: these have none, or not claims. */
async function verifies({ jws, jwk }: Pick<JwsVector, 'jws' | 'jwk'>): Promise<boolean> {
  const parsed = parseCompact(jws)
  const key = trustedKey(jwk)
  if (typeof parsed === 'string' || typeof key === 'string') return false
  const alg = parsed.header.get('alg')
  if (typeof alg !== 'string' || !key.algorithms.has(alg)) return false
  return parsed.header.get('kid') === jwk['kid'] && signatureIsRight(parsed, key, alg)
}

describe('published vectors of signatures', () => {
  it.each(rfc)('T3: $name', async (vector) => {
    expect(await verifies(vector)).toBe(vector.valid)
  })

  it.each(wycheproof)('T3: Wycheproof JWS $name', async (vector) => {
    expect(await verifies(vector)).toBe(vector.valid)
  })

  it.skipIf(wholeAbsent)(
    'T3: what is accepted of all of Wycheproof JWS is valid (skipped where ../shared/vectors/wycheproof is absent)',
    async () => {
      interface Group {
        readonly public?: Readonly<Record<string, unknown>>
        readonly tests: readonly { readonly tcId: number; readonly jws: string; readonly result: string }[]
      }
      const { testGroups } = JSON.parse(readFileSync(whole, 'utf8')) as { readonly testGroups: readonly Group[] }
      let accepted = 0
      for (const { public: jwk = {}, tests } of testGroups) {
        for (const { tcId, jws, result } of tests) {
          const right = await verifies({ jws, jwk })
          if (right) accepted += 1
          if (right) expect(result, `test ${tcId}`).not.toBe('invalid')
        }
      }
      expect(accepted).toBeGreaterThanOrEqual(3)
    },
  )
})
