import { methods, type Method } from '@portcullis/contract'
import { scopes, type ServiceActions } from '#core'

export const namespace = 'Portcullis'

const principals = 'principal: [Agent, Operator, Service]'

/**
 * What policies can speak of, in the form that Cedar validates them against (SPEC G21). Made from the contract and from the registered
 * services, so that a policy names no action that there is not.
 */
export function policySchema(services: ServiceActions): string {
  const rows = [...actionRows(services)]
  const groups = new Set(rows.flatMap(({ within }) => within.filter((group) => !group.includes(':'))))
  return `// Written by \`portcullis policy schema\`.
namespace ${namespace} {
  entity Tenant = { name: String };

  // Who calls. \`id\` is also the id of the entity; \`scopes\` are those of the credential, with what they include.
  entity Agent, Operator, Service in [Tenant] = {
    id: String,
    tenant: Tenant,
    scopes: Set<String>,
    credentialKind: String,
    clientId?: String,
  };

  // What a registered service asks about, by its own name; the tags are the \`context\` of its question.
  entity Object in [Tenant] = { name: String } tags String;

  type Situation = {
    // "private_read", "write", or "check" where a registered service asks.
    access: String,
    // "normal" or "high", as in the contract.
    risk: String,
    // The source address, without where it is not known.
    remote?: ipaddr,
    // The call was let in as one of a bypass network.
    bypass: Bool,
    // The person a trusted service acts for.
    actor?: String,
    // UTC, in whole seconds.
    time: datetime,
  };

  // Groups: of methods by what they do, by their service, and by the area that the name of a scope begins with.
${[...groups]
  .toSorted()
  .map((group) => `  action ${quoted(group)};\n`)
  .join('')}
  // Questions of services; a scope is also the group of the methods that need it.
${rows.filter(isQuestion).map(actionText).join('')}
  // Calls of this server: the resource is the tenant of the caller.
${rows
  .filter((row) => !isQuestion(row))
  .map(actionText)
  .join('')}}
`
}

interface ActionRow {
  readonly name: string
  /** Groups that the schema puts it in. */
  readonly within: readonly string[]
  readonly resource: 'Tenant' | 'Object'
}

// Capitals keep them apart from areas, which have none.
const kindGroups = { private_read: 'anyRead', write: 'anyWrite', check: 'anyCheck' } as const

/** Each action with every group that it is in, through other groups, too. */
export function actionGroups(services: ServiceActions): ReadonlyMap<string, readonly string[]> {
  const rows = [...actionRows(services)]
  const direct = new Map(rows.map(({ name, within }) => [name, within]))
  const all = (name: string): readonly string[] => (direct.get(name) ?? []).flatMap((group) => [group, ...all(group)])
  return new Map(rows.map(({ name }) => [name, [...new Set(all(name))]]))
}

function* actionRows(services: ServiceActions): Generator<ActionRow> {
  const called = [...methods.values()].filter(({ scope }) => scope !== '')
  const asked = new Set([...scopes.keys(), ...called.map(({ scope }) => scope), ...services])
  for (const name of [...asked].toSorted())
    yield { name, within: [kindGroups.check, name.slice(0, name.indexOf(':'))], resource: 'Object' }
  for (const method of called) yield { name: actionOf(method), within: groupsOf(method), resource: 'Tenant' }
}

/** The name of a method as an action: its path without the leading slash. */
export function actionOf({ path }: Pick<Method, 'path'>): string {
  return path.slice(1)
}

function groupsOf({ access, path, risk, scope }: Method): readonly string[] {
  const kind = access === 'write' ? kindGroups.write : kindGroups.private_read
  return [kind, path.slice(1, path.lastIndexOf('/')), scope, ...(risk === 'high' ? ['highRisk'] : [])]
}

function isQuestion({ resource }: ActionRow): boolean {
  return resource === 'Object'
}

function actionText({ name, within, resource }: ActionRow): string {
  const groups = within.map(quoted).join(', ')
  return `  action ${quoted(name)} in [${groups}] appliesTo { ${principals}, resource: [${resource}], context: Situation };\n`
}

function quoted(name: string): string {
  return JSON.stringify(name)
}
