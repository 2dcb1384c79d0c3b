import * as wasm from '@cedar-policy/cedar-wasm/nodejs'
import { describe, expect, it } from 'vitest'
import { methods } from '@portcullis/contract'
import { scopes, type Caller } from '#core'
import type { Verdict } from './cedar.ts'
import { checkSet, policiesMax } from './check-set.ts'
import { callerWith, cedarWith, services } from './policy.fixture.ts'
import { cedarQuestion, memoKey, questionOfCall, questionOfCheck, type Question } from './question.ts'
import { actionGroups, policySchema } from './schema.ts'

const nowMs = Date.parse('2026-11-22T10:00:00.750Z')
const schema = policySchema(services)
const groups = actionGroups(services)
const all = { remote: true, time: true, actor: true }

function method(name: string) {
  const found = methods.get(`/portcullis.v1.${name}`)
  if (found === undefined) throw new Error(name)
  return found
}

function call(name: string, caller: Partial<Caller> = {}, more: { remote?: string; actor?: string } = {}): Question {
  const { remote = '10.1.2.3', actor } = more
  return questionOfCall({ method: method(name), remote }, callerWith(caller), actor, nowMs)
}

function check(action: string, resource = '', context: Readonly<Record<string, string>> = {}): Question {
  return questionOfCheck({ caller: callerWith(), action, resource, context }, nowMs)
}

async function asks(text: string): Promise<(question: Question) => Verdict> {
  const { cedar, set } = await cedarWith(text)
  return (question) => cedar.decide(question, set.mentioned, groups)
}

describe('the policy schema', () => {
  it('G21: is what Cedar accepts, and has an action for every method that needs a credential and for every scope', () => {
    expect(wasm.checkParseSchema(schema)).toEqual({ type: 'success' })
    const called = [...methods.values()].filter(({ access }) => access !== 'public_read')
    const expected = [...called.map(({ path }) => path.slice(1)), ...scopes.keys(), ...services]
    expect([...groups.keys()].toSorted()).toEqual([...new Set(expected)].toSorted())
  })

  it('G21: every call and every question is a valid request of it, from whatever caller', () => {
    const callers = [
      callerWith(),
      callerWith({ kind: 'operator', id: 'opr_1', clientId: 'app_1', scopes: new Set() }),
      callerWith({ kind: 'service', id: 'bypass', credential: { kind: 'bypass', id: '10.0.0.0/8' } }),
      callerWith({ kind: 'service', id: 'a subject of "another" issuer\n' }),
    ]
    const questions = callers.flatMap((caller) => [
      ...[...methods.values()]
        .filter(({ access }) => access !== 'public_read')
        .map((each) => questionOfCall({ method: each, remote: '::ffff:10.0.0.1' }, caller, 'ada', nowMs)),
      ...[...scopes.keys(), ...services].map((action) =>
        questionOfCheck({ caller, action, resource: 'a "b" \\ c', context: { address: 'fe80::1', a: 'b' } }, nowMs),
      ),
    ])
    const preparsed = wasm.preparseSchema('test', schema)
    const permitAll = wasm.preparsePolicySet('test', { staticPolicies: 'permit(principal, action, resource);' })
    expect([preparsed.type, permitAll.type]).toEqual(['success', 'success'])
    for (const question of questions) {
      const asked = cedarQuestion(question, all, groups)
      // Cedar takes the action and its groups from the schema, and they are the same.
      const answer = wasm.statefulIsAuthorized({
        ...asked,
        preparsedSchemaName: 'test',
        validateRequest: true,
        preparsedPolicySetId: 'test',
      })
      expect(answer, `${question.action} ${question.caller.kind}`).toMatchObject({ type: 'success' })
    }
  })
})

describe('a decision', () => {
  it('G21: denies what no policy permits, and says who decided', async () => {
    const ask = await asks(
      `@id("writers") permit(principal, action == Portcullis::Action::"portcullis.v1.HubService/StartRun", resource);
       @id("no-eve") forbid(principal == Portcullis::Agent::"agt_eve", action, resource);`,
    )
    expect(ask(call('HubService/StartRun'))).toEqual({ allow: true, reason: 'permitted by writers' })
    expect(ask(call('HubService/ListRuns'))).toEqual({ allow: false, reason: 'no policy permits this' })
    expect(ask(call('HubService/StartRun', { id: 'agt_eve' }))).toEqual({ allow: false, reason: 'forbidden by no-eve' })
  })

  it.each<[string, Question, boolean]>([
    ['principal is Portcullis::Agent', call('HubService/StartRun'), true],
    ['principal is Portcullis::Operator', call('HubService/StartRun'), false],
    ['principal in Portcullis::Tenant::"ten_1"', call('HubService/StartRun'), true],
    ['principal in Portcullis::Tenant::"ten_2"', call('HubService/StartRun'), false],
    ['principal.tenant == resource', call('HubService/StartRun'), true],
    ['principal.tenant.name == "main" && resource.name == "main"', call('HubService/StartRun'), true],
    ['principal.scopes.contains("telemetry:write")', call('HubService/StartRun'), true],
    ['principal.credentialKind == "api_key"', call('HubService/StartRun'), true],
    ['principal has clientId && principal.clientId == "app_1"', call('HubService/StartRun'), false],
    [
      'principal has clientId && principal.clientId == "app_1"',
      call('HubService/StartRun', { clientId: 'app_1' }),
      true,
    ],
    ['context.access == "write"', call('HubService/StartRun'), true],
    ['context.risk == "high"', call('HubService/StartRun'), false],
    ['context.risk == "high"', call('IdentityService/CreateKey'), true],
    ['action in Portcullis::Action::"highRisk"', call('IdentityService/CreateKey'), true],
    ['action in Portcullis::Action::"anyWrite"', call('HubService/StartRun'), true],
    ['action in Portcullis::Action::"anyRead"', call('HubService/StartRun'), false],
    ['action in Portcullis::Action::"telemetry:write"', call('HubService/StartRun'), true],
    ['action in Portcullis::Action::"telemetry"', call('HubService/StartRun'), true],
    ['action in Portcullis::Action::"portcullis.v1.HubService"', call('HubService/StartRun'), true],
    ['context has remote && context.remote.isInRange(ip("10.0.0.0/8"))', call('HubService/StartRun'), true],
    [
      'context has remote && context.remote.isInRange(ip("10.0.0.0/8"))',
      call('HubService/StartRun', {}, { remote: '::ffff:10.9.9.9' }),
      true,
    ],
    [
      'context has remote && context.remote.isInRange(ip("2001:db8::/32"))',
      call('HubService/StartRun', {}, { remote: '2001:DB8::7' }),
      true,
    ],
    ['context has remote', call('HubService/StartRun', {}, { remote: 'unknown' }), false],
    ['context.bypass', call('HubService/StartRun', { credential: { kind: 'bypass', id: 'x' } }), true],
    ['context has actor && context.actor == "ada"', call('HubService/StartRun', {}, { actor: 'ada' }), true],
    ['context has actor', call('HubService/StartRun'), false],
    ['context.time == datetime("2026-11-22T10:00:00Z")', call('HubService/StartRun'), true],
    ['context.time.toTime() >= duration("22h")', call('HubService/StartRun'), false],
  ])('G21: sees of a call whether %s', async (condition, question, expected) => {
    const uniform = condition.includes('resource') ? 'resource is Portcullis::Tenant' : 'resource'
    const ask = await asks(`permit(principal, action, ${uniform}) when { ${condition} };`)
    expect(ask(question).allow).toBe(expected)
  })

  it.each<[string, Question, boolean]>([
    ['action == Portcullis::Action::"tickets:read"', check('tickets:read'), true],
    ['action in Portcullis::Action::"tickets"', check('tickets:write'), true],
    ['action in Portcullis::Action::"anyCheck"', check('telemetry:read'), true],
    ['context.access == "check"', check('tickets:read'), true],
    ['resource.name like "public/*"', check('tickets:read', 'public/7'), true],
    ['resource.name like "public/*"', check('tickets:read', 'private/7'), false],
    ['resource in principal.tenant', check('tickets:read', 'x'), true],
    [
      'resource.hasTag("severity") && resource.getTag("severity") == "low"',
      check('tickets:read', '', { severity: 'low' }),
      true,
    ],
    ['resource.hasTag("severity") && resource.getTag("severity") == "low"', check('tickets:read'), false],
    ['context has remote && context.remote.isLoopback()', check('tickets:read', '', { address: '127.0.0.1' }), true],
    ['context has remote', check('tickets:read', '', { address: 'nonsense' }), false],
  ])('G21: sees of the question of a service whether %s', async (condition, question, expected) => {
    const ask = await asks(`permit(principal, action, resource is Portcullis::Object) when { ${condition} };`)
    expect(ask(question).allow).toBe(expected)
  })

  it('G21: can ask for credentials that are nothing in other hands', async () => {
    const ask = await asks(
      `permit(principal, action, resource);
       @id("bound") forbid(principal, action in Portcullis::Action::"anyWrite", resource)
       unless { ["dpop_access_token", "certificate_bound_access_token", "client_certificate"]
                  .contains(principal.credentialKind) };`,
    )
    const write = (kind: Caller['credential']['kind']): boolean =>
      ask(call('HubService/StartRun', { credential: { kind, id: 'x' } })).allow
    expect([write('access_token'), write('api_key'), write('dpop_access_token')]).toEqual([false, false, true])
    expect(ask(call('HubService/ListRuns')).allow).toBe(true)
  })

  it('G21: a policy that fails denies, also where it would only forbid', async () => {
    const ask = await asks(
      `@id("all") permit(principal, action, resource);
       @id("overflow") forbid(principal, action, resource) when { 9223372036854775807 + 1 > 0 };`,
    )
    expect(ask(call('HubService/StartRun'))).toEqual({
      allow: false,
      reason: expect.stringMatching(/^policy overflow failed: .*overflow/),
    })
  })

  it('G21: an action that is not in the schema is a fault, and no answer', async () => {
    const ask = await asks('permit(principal, action, resource);')
    expect(() => ask(check('tickets:burn'))).toThrow('tickets:burn is no action of the policy schema')
  })
})

describe('a set of policies', () => {
  const problemsOf = async (...texts: readonly string[]): Promise<readonly string[]> => {
    const files = texts.map((text, at) => ({ name: `${at}.cedar`, text }))
    const checked = checkSet(wasm, files, schema)
    return checked.ok ? [] : checked.problems.map(({ file, line, message }) => `${file}:${line} ${message}`)
  }
  const permit = 'permit(principal, action, resource)'

  it.each([
    ['text that is no policy', '// é\nhello', /^0\.cedar:2 unexpected/],
    ['a policy without its end', `${permit};\n${permit}`, /^0\.cedar:2 unexpected end/],
    [
      'an attribute that there is not',
      `${permit};\n// ü\n${permit}\n  when { principal.nme == "a" };`,
      /^0\.cedar:4 attribute `nme`.*did you mean/,
    ],
    [
      'an action that there is not',
      'permit(principal, action == Portcullis::Action::"nope", resource);',
      /^0\.cedar:1 unrecognized action/,
    ],
    [
      'a type of another namespace',
      'permit(principal == Agent::"agt_1", action, resource);',
      /^0\.cedar:1 unrecognized entity type/,
    ],
    [
      'an optional attribute that is not asked for first',
      `${permit} when { context.actor == "a" };`,
      /^0\.cedar:1 .*actor/,
    ],
    [
      'an address that is none',
      `${permit} when { context has remote && context.remote == ip("300.1.1.1") };`,
      /^0\.cedar:1 .*(ip|300)/i,
    ],
    ['a template', 'permit(principal == ?principal, action, resource);', /^0\.cedar:1 this is a template/],
    ['an id that is no word', `@id("a b") ${permit};`, /^0\.cedar:1 an @id/],
    ['nothing', '// nothing\n', /^:0 there is no policy/],
  ])('G21: is refused where it has %s, with the place of it', async (_name, text, expected) => {
    expect(await problemsOf(text)).toEqual([expect.stringMatching(expected)])
  })

  it('G21: is refused where two policies have one id, and where it is too large', async () => {
    expect(await problemsOf(`@id("a") ${permit};`, `\n@id("a") ${permit};`)).toEqual([
      '1.cedar:2 the id a is taken by the policy at 0.cedar:1',
    ])
    const many = Array.from({ length: policiesMax + 1 }, () => `${permit};`).join('\n')
    expect((await problemsOf(many))[0]).toContain(`${policiesMax + 1} policies; at most ${policiesMax}`)
  })

  it('G21: every problem of every file is told at once', async () => {
    expect(await problemsOf('one', 'two')).toHaveLength(2)
  })

  it('G21: policies without an id are known by file and line', async () => {
    const ask = await asks(`// comment\n${permit};\n\nforbid(principal, action, resource);`)
    expect(ask(call('HubService/StartRun')).reason).toBe('forbidden by test.cedar:4')
  })

  it('G21: and so are policies that say the same, however many', async () => {
    const ask = await asks(Array.from({ length: 12 }, () => `${permit};`).join('\n'))
    const ids = ask(call('HubService/StartRun')).reason.replace('permitted by ', '').split(', ')
    expect(ids.toSorted()).toEqual(Array.from({ length: 12 }, (_, at) => `test.cedar:${at + 1}`).toSorted())
  })

  it('G21: warns of a policy that can never apply', async () => {
    const checked = checkSet(
      wasm,
      [{ name: 'a.cedar', text: `${permit};\n${permit.replace('permit', 'forbid')} when { false };` }],
      schema,
    )
    expect(checked).toMatchObject({ ok: true, set: { warnings: [{ file: 'a.cedar', line: 2 }] } })
  })

  it('G21: one that is refused changes nothing', async () => {
    const { cedar, set } = await cedarWith(`${permit};`)
    expect(checkSet(wasm, [{ name: 'b.cedar', text: 'nonsense' }], schema).ok).toBe(false)
    expect(cedar.decide(call('HubService/StartRun'), set.mentioned, groups).allow).toBe(true)
  })
})

describe('what is remembered of decisions', () => {
  const none = { remote: false, time: false, actor: false }
  const key = (question: Question, mentioned = none) => memoKey(question, mentioned)

  it('G21: tells callers, their scopes, actions and objects apart, and addresses and times where policies look at them', () => {
    const one = call('HubService/StartRun', { scopes: new Set(['a']) })
    const others = [
      call('HubService/StartRun', { scopes: new Set(['a', 'b']) }),
      call('HubService/FinishRun', one.caller),
      call('HubService/StartRun', { ...one.caller, id: 'agt_2' }),
      call('HubService/StartRun', { ...one.caller, kind: 'operator' }),
      call('HubService/StartRun', { ...one.caller, clientId: 'app_1' }),
      call('HubService/StartRun', { ...one.caller, tenant: { id: 'ten_2', name: 'main' } }),
      call('HubService/StartRun', { ...one.caller, credential: { kind: 'access_token', id: 'x' } }),
      { ...one, object: { name: '', tags: {} } },
      { ...one, object: { name: '', tags: { a: 'b' } } },
    ]
    expect(new Set([one, ...others].map((each) => key(each))).size).toBe(others.length + 1)
    const elsewhere = { ...one, remote: '192.0.2.9', actor: 'eve', atMs: nowMs + 5000 }
    expect(key(elsewhere)).toBe(key(one))
    for (const name of ['remote', 'time', 'actor'] as const)
      expect(key(elsewhere, { ...none, [name]: true }), name).not.toBe(key(one, { ...none, [name]: true }))
    expect(key({ ...one, atMs: nowMs + 100 }, all)).toBe(key(one, all))
  })

  it('G21: what is mentioned in any spelling is looked at', async () => {
    const { set } = await cedarWith(
      'permit(principal, action, resource) when { context["t\\u{69}me"] > datetime("2020-01-01") };',
    )
    expect(set.mentioned).toEqual({ remote: false, time: true, actor: false })
  })
})
