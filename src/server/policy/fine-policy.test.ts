import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { closeScopes, keyPartOf, makeKey, scopes, Secret, sha256, uuidv7 } from '#core'
import { decide, Gcra, type Call, type GatePorts, type KeyRecord } from '#gate'
import { FinePolicy, type InForce } from './fine-policy.ts'
import { folderBounds, readPolicyFolder, type PolicyProblem } from './policy-folder.ts'
import { callerWith, services } from './policy.fixture.ts'
import { questionOfCheck } from './question.ts'

const permit = 'permit(principal, action, resource);'
const nowMs = 1_800_000_000_000
const clock = { now: () => nowMs, monotonic: () => 0 }

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portcullis-policy-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const write = (name: string, text: string): Promise<void> => writeFile(join(dir, name), text)

interface Watched {
  readonly policy: FinePolicy
  readonly activated: InForce[]
  readonly refused: (readonly PolicyProblem[])[]
}

function policyOf(folder = dir): Watched {
  const activated: InForce[] = []
  const refused: (readonly PolicyProblem[])[] = []
  const policy = new FinePolicy({
    dir: folder,
    services,
    clock,
    // The tests look themselves.
    lookEveryMs: 2 ** 31 - 1,
    activated: (set) => void activated.push(set),
    refused: (problems) => void refused.push(problems),
  })
  return { policy, activated, refused }
}

function isAllowed(policy: FinePolicy): boolean {
  const asked = { caller: callerWith(), action: 'tickets:read', resource: '', context: {} }
  return policy.ask(questionOfCheck(asked, nowMs)) === undefined
}

describe('a folder of policies', () => {
  it('G21: denies everything until a set is in force', () => {
    expect(
      policyOf().policy.ask(
        questionOfCheck({ caller: callerWith(), action: 'tickets:read', resource: '', context: {} }, 0),
      ),
    ).toMatchObject({
      code: 'policy.denied',
      reason: 'no policies are in force',
    })
  })

  it('G21: is taken over when it has been the same for two looks, as one set', async () => {
    await write('a.cedar', permit)
    const { policy, activated, refused } = policyOf()
    expect(await policy.start()).toMatchObject({ ok: true, inForce: { policies: 1 } })
    expect(isAllowed(policy)).toBe(true)
    await policy.look()
    expect(activated).toHaveLength(1)
    await write('b.cedar', 'forbid(principal, action, resource);')
    await policy.look()
    await write('c.cedar', 'forbid(principal, action, resource) when { context.bypass };')
    await policy.look()
    expect([isAllowed(policy), activated.length]).toEqual([true, 1])
    await policy.look()
    expect([isAllowed(policy), activated.length, refused.length]).toEqual([false, 2, 0])
    expect(activated[1]).toMatchObject({ policies: 3, digest: policy.digest })
    expect(activated[1]?.digest).not.toBe(activated[0]?.digest)
    policy.close()
  })

  it.each<[string, () => Promise<void>]>([
    ['a broken file', () => write('a.cedar', 'permit(principal')],
    [
      'a policy that does not validate',
      () => write('a.cedar', `${permit} forbid(principal, action, resource) when { principal.x };`),
    ],
    ['a broken file beside a good one', () => write('z.cedar', 'x')],
    [
      'conditions that overflow the stack',
      () =>
        write('a.cedar', `permit(principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`),
    ],
    ['no file at all', () => rm(join(dir, 'a.cedar'))],
    ['no folder at all', () => rm(dir, { recursive: true })],
  ])('G21: with %s keeps the set before, says so once, and recovers', async (_name, breakIt) => {
    await write('a.cedar', permit)
    const { policy, activated, refused } = policyOf()
    await policy.start()
    await breakIt()
    for (let look = 0; look < 5; look += 1) await policy.look()
    expect([isAllowed(policy), policy.failing, refused.length]).toEqual([true, true, 1])
    expect(refused[0]?.[0]?.message).not.toBe('')
    await mkdir(dir, { recursive: true })
    await rm(join(dir, 'z.cedar'), { force: true })
    await write('a.cedar', 'forbid(principal, action, resource);')
    for (let look = 0; look < 3; look += 1) await policy.look()
    expect([isAllowed(policy), policy.failing, activated.length]).toEqual([false, false, 2])
    policy.close()
  })

  it.each<[string, () => Promise<void>, string]>([
    ['a folder without files', () => write('a.txt', permit), 'has no *.cedar file'],
    ['a file that is not text', () => writeFile(join(dir, 'a.cedar'), Buffer.from([0xff, 0xfe, 0x00])), 'not UTF-8'],
    ['a folder with the name of a file', () => mkdir(join(dir, 'a.cedar')), 'not a file'],
    ['a link that leads nowhere', () => symlink('/nonexistent', join(dir, 'a.cedar')), 'ENOENT'],
    ['more than it may hold', () => write('a.cedar', ' '.repeat(folderBounds.bytes + 1)), 'more than 1048576 bytes'],
  ])('G21: %s is no set, and the start says why', async (_name, make, why) => {
    await make()
    const { policy } = policyOf()
    const started = await policy.start()
    expect(started).toMatchObject({ ok: false, problems: [{ message: expect.stringContaining(why) }] })
    expect(isAllowed(policy)).toBe(false)
  })

  it('G21: too many files are refused unread', async () => {
    await Promise.all(Array.from({ length: folderBounds.files + 1 }, (_, at) => write(`${at}.cedar`, permit)))
    expect(await readPolicyFolder(dir)).toMatchObject({ ok: false, problems: [{ message: '201 files; at most 200' }] })
  })

  it('G21: files of a link and of other names are told apart', async () => {
    await mkdir(join(dir, '..data'))
    await writeFile(join(dir, '..data', 'a.cedar'), permit)
    await symlink(join('..data', 'a.cedar'), join(dir, 'a.cedar'))
    await write('.hidden.cedar', 'nonsense')
    await write('README.md', 'nonsense')
    expect(await readPolicyFolder(dir)).toEqual({ ok: true, files: [{ name: 'a.cedar', text: permit }] })
  })
})

describe('whatever the policies', () => {
  const uuid = uuidv7()
  const { text, secret } = makeKey(uuid)
  const texts = fc.array(
    fc.tuple(
      fc.constantFrom('permit', 'forbid'),
      fc.constantFrom('action', 'action in Portcullis::Action::"anyRead"', 'action in Portcullis::Action::"telemetry"'),
      fc.constantFrom(
        'true',
        'context.risk == "high"',
        'principal is Portcullis::Agent',
        'principal.scopes.contains("admin:read")',
        'context has remote && context.remote.isInRange(ip("192.0.2.0/24"))',
      ),
    ),
    { minLength: 1, maxLength: 4 },
  )

  it('G21: what the scopes deny stays denied, with the same refusal, and a policy only takes away', async () => {
    const wide = { perSecond: 1_000_000, burst: 1_000_000 }
    const buckets = { failures: new Gcra(wide), addresses: new Gcra(wide), calls: new Gcra(wide) }
    await fc.assert(
      fc.asyncProperty(
        texts,
        fc.subarray([...scopes.keys()]),
        fc.constantFrom('agent' as const, 'operator' as const),
        fc.constantFrom(undefined, 'ten_1', 'other'),
        async (rows, held, kind, tenantId) => {
          await write(
            'a.cedar',
            rows
              .map(([effect, action, when]) => `${effect}(principal, ${action}, resource) when { ${when} };`)
              .join('\n'),
          )
          const { policy } = policyOf()
          expect((await policy.start()).ok).toBe(true)
          policy.close()
          const key: KeyRecord = {
            id: `key_${uuid}`,
            digest: sha256(secret),
            owner: { kind, id: 'agt_1' },
            tenant: { id: 'ten_1', name: 'main' },
            scopes: closeScopes(new Set(held)),
            expiresAtMs: undefined,
            revokedAtMs: undefined,
            ownerDisabled: false,
            tenantDisabled: false,
            allowedCidrs: [],
            rate: undefined,
          }
          const keys = {
            find: (part: string) => (part === keyPartOf(uuid) ? key : undefined),
            fresh: () => true,
            used: () => undefined,
          }
          const ports: GatePorts = { clock, keys, ...buckets }
          let taken = 0
          for (const method of methods.values()) {
            const credentials = [{ kind: 'api_key' as const, text: new Secret(text.reveal()) }]
            const call: Call = { method, credentials, remote: '192.0.2.1', requestId: 'req_1', tenantId }
            const [without, withPolicy] = [decide(call, ports), decide(call, { ...ports, policy })]
            if (without.refused)
              expect(withPolicy).toMatchObject({ refused: true, refusal: { code: without.refusal.code } })
            else if (withPolicy.refused) {
              taken += 1
              expect([withPolicy.refusal.code, method.access]).not.toContain('public_read')
              expect(withPolicy.refusal.code).toBe('policy.denied')
            }
          }
          if (rows.every(([effect]) => effect === 'forbid') && held.includes('telemetry:write') && tenantId !== 'other')
            expect(taken).toBeGreaterThan(0)
        },
      ),
      { numRuns: 10 },
    )
  })
})
