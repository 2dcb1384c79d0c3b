import type { Context, EntityJson, StatefulAuthorizationCall } from '@cedar-policy/cedar-wasm/nodejs'
import { parseIp, type Caller } from '#core'
import type { Call } from '#gate'
import type { FineQuestion } from '#hub'
import { actionOf, namespace } from './schema.ts'

/** What is asked of the policies, before it has the form of Cedar. */
export interface Question {
  readonly caller: Caller
  readonly action: string
  /** Undefined where the resource is the tenant of the caller. */
  readonly object: { readonly name: string; readonly tags: Readonly<Record<string, string>> } | undefined
  readonly access: 'private_read' | 'write' | 'check'
  readonly risk: 'normal' | 'high'
  readonly remote: string | undefined
  readonly actor: string | undefined
  /** Milliseconds since the epoch; policies see whole seconds. */
  readonly atMs: number
}

/** What of a question the policies in force look at; the rest cannot change their decision. */
export interface Mentioned {
  readonly remote: boolean
  readonly time: boolean
  readonly actor: boolean
}

export function questionOfCall(
  { method, remote }: Pick<Call, 'method' | 'remote'>,
  caller: Caller,
  actor: string | undefined,
  atMs: number,
): Question {
  const access = method.access === 'write' ? 'write' : 'private_read'
  return { caller, action: actionOf(method), object: undefined, access, risk: method.risk, remote, actor, atMs }
}

/** What a registered service asks; it says itself from which address, and what it knows besides. */
export function questionOfCheck({ caller, action, resource, context }: FineQuestion, atMs: number): Question {
  const object = { name: resource, tags: context }
  const remote = context['address']
  return { caller, action, object, access: 'check', risk: 'normal', remote, actor: undefined, atMs }
}

type CedarQuestion = Omit<StatefulAuthorizationCall, 'preparsedPolicySetId' | 'preparsedSchemaName'>

type ActionGroups = ReadonlyMap<string, readonly string[]>

const types = { agent: 'Agent', operator: 'Operator', service: 'Service' } as const
const typed = (type: string, id: string): { type: string; id: string } => ({ type: `${namespace}::${type}`, id })

/** The question as Cedar takes it. */
export function cedarQuestion(question: Question, mentioned: Mentioned, groups: ActionGroups): CedarQuestion {
  const { caller, object } = question
  const within = groups.get(question.action)
  if (within === undefined) throw new Error(`${question.action} is no action of the policy schema`)
  const action = typed('Action', question.action)
  const tenant = typed('Tenant', caller.tenant.id)
  const principal = typed(types[caller.kind], caller.id)
  const resource = object === undefined ? tenant : typed('Object', object.name)
  const entities: EntityJson[] = [
    { uid: tenant, attrs: { name: caller.tenant.name }, parents: [] },
    { uid: action, attrs: {}, parents: within.map((group) => typed('Action', group)) },
    { uid: principal, attrs: principalAttributes(caller), parents: [tenant] },
  ]
  if (object !== undefined)
    entities.push({ uid: resource, attrs: { name: object.name }, parents: [tenant], tags: { ...object.tags } })
  return { principal, action, resource, context: contextOf(question, mentioned), entities }
}

function principalAttributes({ id, tenant, scopes, credential, clientId }: Caller): EntityJson['attrs'] {
  return {
    id,
    tenant: { __entity: typed('Tenant', tenant.id) },
    scopes: [...scopes],
    credentialKind: credential.kind,
    ...(clientId === undefined ? {} : { clientId }),
  }
}

/** Addresses and times are parsed by Cedar at each question: they are left out where no policy looks at them. */
function contextOf({ caller, access, risk, remote, actor, atMs }: Question, mentioned: Mentioned): Context {
  const address = mentioned.remote ? addressOf(remote) : undefined
  return {
    access,
    risk,
    bypass: caller.credential.kind === 'bypass',
    ...(address === undefined ? {} : { remote: { __extn: { fn: 'ip', arg: address } } }),
    ...(actor === undefined ? {} : { actor }),
    ...(mentioned.time ? { time: { __extn: { fn: 'datetime', arg: wholeSecond(atMs) } } } : {}),
  }
}

function wholeSecond(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`
}

/** In the one form that Cedar takes of each address; undefined for what is none. */
function addressOf(text: string | undefined): string | undefined {
  const ip = text === undefined ? undefined : parseIp(text)
  if (ip === undefined) return undefined
  if (ip.family === 4) return ip.bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, at) => (ip.bytes[at * 2] ?? 0) * 256 + (ip.bytes[at * 2 + 1] ?? 0))
  return groups.map((group) => group.toString(16)).join(':')
}

const setTexts = new WeakMap<ReadonlySet<string>, string>()

/** The same for questions that the policies cannot tell apart; undefined where it is too long to be worth remembering. */
export function memoKey(question: Question, mentioned: Mentioned): string | undefined {
  const { caller, action, object, access, remote, actor, atMs } = question
  const key = JSON.stringify([
    caller.kind,
    caller.id,
    caller.tenant.id,
    caller.tenant.name,
    textOfSet(caller.scopes),
    caller.credential.kind,
    caller.clientId,
    action,
    access,
    object,
    mentioned.remote ? remote : '',
    mentioned.actor ? actor : '',
    mentioned.time ? Math.floor(atMs / 1000) : 0,
  ])
  return key.length <= memoKeyCharsMax ? key : undefined
}

const memoKeyCharsMax = 1000

/** By what is in it: callers with tokens have a set of their own at each call. */
function textOfSet(set: ReadonlySet<string>): string {
  const known = setTexts.get(set)
  if (known !== undefined) return known
  const text = [...set].toSorted().join(' ')
  setTexts.set(set, text)
  return text
}
