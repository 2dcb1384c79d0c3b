import { create, ScalarType, type DescMessage, type Message } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubService, methodOf, methods } from '@portcullis/contract'
import { canonicalJson, type Caller, type Json } from '#core'
import { handlers, type Summary } from '#hub'
import { bodyBytesMax, entryBytesMax, formatEntry, genesisPrev, pseudonymWith, type Pseudonym } from '#ledger'
import { heldOutPositives } from '../ledger/redaction/corpus-held-out.ts'
import { positives } from '../ledger/redaction/corpus-tuning.ts'
import { redactText } from '../ledger/redaction/redact.ts'
import { recordOf } from './record.ts'
import { shownArguments } from './shown-arguments.ts'

const caller: Caller = {
  kind: 'agent',
  id: 'agt_1',
  tenant: { id: 'ten_0199d2f0-0000-7000-8000-000000000001', name: 'acme' },
  scopes: new Set(['telemetry:write']),
  credential: { kind: 'api_key', id: 'key_1' },
}
const clock = { now: () => 1_800_000_000_000, monotonic: () => 0 }
const call = {
  method: methodOf(HubService.method.startRun),
  credentials: [],
  remote: '192.0.2.1',
  requestId: 'req_of_the_call',
  tenantId: undefined,
}
const pseudonym = pseudonymWith(Buffer.alloc(32, 5), 1)

function bodyOf(args: Summary, reason?: string, named?: Pseudonym): string {
  const outcome =
    reason === undefined
      ? ({ outcome: 'allow' } as const)
      : ({ outcome: 'deny', code: 'input.invalid', reason } as const)
  return recordOf({ call, caller, args: () => args, arrivedAt: 0, clock, pseudonym: named }, outcome).body
}

// What the detectors find where it stands alone, they find in an entry too.
const found = [...positives, ...heldOutPositives].filter(({ text, secret }) => !redactText(text).text.includes(secret))
const planted = fc.constantFrom(...found)
const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)
const names = fc.oneof(
  fc.constantFrom('note', 'a', 'token', 'email', '__proto__', 'costNanoUsd'),
  fc.string({ maxLength: 8 }),
)
const { arguments: anything } = fc.letrec<{ arguments: Json; tree: Json }>((tie) => ({
  arguments: fc.dictionary(names, tie('tree'), { maxKeys: 6 }),
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf as fc.Arbitrary<Json>,
    fc.array(tie('tree'), { maxLength: 5 }),
    tie('arguments'),
  ),
}))

describe('entries', () => {
  it('G10, G12, L2: say who acted and where it came from, with a person as a pseudonym', () => {
    const from = { ...call, bypass: { cidr: '192.0.2.0/24', caller: () => undefined } }
    const recorded = (actor?: string) =>
      recordOf({ call: from, caller, actor, args: () => ({}), arrivedAt: 0, clock, pseudonym }, { outcome: 'allow' })
    const [named, masked, nobody] = [recorded('usr-ada'), recorded('ada@example.com'), recorded()]
    expect(JSON.parse(named.body)).toMatchObject({ actor: 'usr-ada', bypass: true, caller: { id: 'agt_1' } })
    expect([named.actor, JSON.parse(masked.body).actor]).toEqual(['usr-ada', masked.actor])
    expect(masked.actor).not.toContain('ada@')
    expect([nobody.actor, JSON.parse(nobody.body).actor]).toEqual([undefined, undefined])
    expect(JSON.parse(bodyOf({}))).toMatchObject({ bypass: false })
  })

  it('L2, L3, T2: whatever the arguments, an entry is canonical, small enough, and holds no planted value', () => {
    fc.assert(
      fc.property(anything, planted, fc.nat(300), fc.boolean(), (args, { text, secret }, before, keyed) => {
        const around = `${'x '.repeat(before)}\n${text}\n${'y '.repeat(before)}`
        const body = bodyOf(
          { ...Object(args), around, [`${secret} in a name`.slice(0, 200)]: 1, deep: [{ list: [around] }] },
          around,
          keyed ? pseudonym : undefined,
        )
        expect(canonicalJson(JSON.parse(body))).toBe(body)
        const entry = formatEntry({
          bodyJson: body,
          log: 'acme',
          prev: genesisPrev,
          seq: 1,
          ts: '2026-11-21T00:00:00.000000Z',
        })
        expect(Buffer.byteLength(entry)).toBeLessThanOrEqual(entryBytesMax)
        const said = JSON.parse(body)
        for (const shown of [said.args.around, said.reason, said.args.deep[0].list[0]])
          expect(shown).not.toContain(secret)
      }),
    )
  })

  it('L2, L3, T2: what is cut says so, at any size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 300 }), (members, chars) => {
        const args = Object.fromEntries(
          Array.from({ length: members }, (_, at) => [`m${at}`, Array.from({ length: 30 }, () => 'ü'.repeat(chars))]),
        )
        const body = bodyOf(args)
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(bodyBytesMax)
        const shown = JSON.parse(body).args
        if (shown.truncated === true) expect(shown.bytes).toBeGreaterThan(0)
        else if (members > 0) expect(JSON.stringify(shown)).toContain('… 10 more')
        if (members > 64 && shown.truncated !== true) expect(shown['…']).toBe(`${members - 64} more`)
      }),
    )
  })

  it('L3: personal values are pseudonyms of the tenant where it has a key, and masked where not', () => {
    const args = { note: 'from jane.doe@example.com', personal: 'Jane Doe', ownerEmail: 'jane.doe@example.com' }
    expect(JSON.parse(bodyOf(args)).args).toEqual({
      note: 'from [email]',
      personal: '[redacted]',
      ownerEmail: '[redacted]',
    })
    const jane = pseudonym('jane.doe@example.com')
    expect(JSON.parse(bodyOf(args, 'no jane.doe@example.com here', pseudonym))).toMatchObject({
      args: { note: `from ${jane}`, personal: pseudonym('Jane Doe'), ownerEmail: jane },
      reason: `no ${jane} here`,
    })
  })
})

// What people and agents write, as opposed to names, ids and numbers: it is theirs, and no entry shows it.
const contents = new Set([
  'details', 'body', 'message', 'dataJson', 'errorMessage', 'lastError', 'notes', 'credential', 'labels', 'pageToken',
  'idempotencyKey', 'key',
]) // prettier-ignore
// Members that are made of a request instead of copied from it.
const made = new Set([
  'asked',
  'budgetId',
  'subjectKind',
  'attempts',
  'benchmarks',
  'events',
  'first',
  'personal',
  'replayed',
  'thumbprint',
  'workflows',
  'resources',
  'spans',
])

/** A message whose every text is its own name, so that it can be found again. */
function marked(message: DescMessage, depth = 0): Message {
  const values = message.fields.flatMap((field): [string, unknown][] => {
    const mark = `<${field.localName}>`
    if (field.fieldKind === 'scalar') return field.scalar === ScalarType.STRING ? [[field.localName, mark]] : []
    if (field.fieldKind === 'map') return [[field.localName, { [mark]: mark }]]
    if (field.fieldKind === 'list' && field.listKind === 'scalar' && field.scalar === ScalarType.STRING)
      return [[field.localName, [mark]]]
    if (depth > 3 || field.message === undefined || !field.message.typeName.startsWith('portcullis.')) return []
    const inner = marked(field.message, depth + 1)
    return [[field.localName, field.fieldKind === 'list' ? [inner] : inner]]
  })
  return create(message, Object.fromEntries(values))
}

describe('the allow-list of each method', () => {
  it.each([...methods.values()].map((method) => [method.path, method] as const))(
    'L3: %s shows chosen fields of its request, and nothing that somebody wrote',
    (path, method) => {
      const handler = handlers.get(path)
      if (handler === undefined) return expect(method.access).toBe('public_read')
      const shown = shownArguments(handler, marked(method.input)).args()
      const text = JSON.stringify(shown)
      for (const name of contents) expect(text).not.toContain(`<${name}>`)
      const own = method.input.fields
      const inner = own.flatMap((field) => (field.fieldKind === 'message' ? field.message.fields : []))
      const fields = new Set([...own, ...inner].map(({ localName }) => localName))
      expect(Object.keys(shown).filter((name) => !fields.has(name) && !made.has(name))).toEqual([])
    },
  )

  it('L3: a method that chooses none shows nothing', () => {
    const handler = handlers.get(methodOf(HubService.method.createNote).path)
    if (handler === undefined) throw new Error('no handler')
    const { summary: _, ...without } = handler
    const message = marked(methodOf(HubService.method.createNote).input)
    expect(shownArguments(without, message).args()).toEqual({})
  })
})
