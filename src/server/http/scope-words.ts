const words: ReadonlyMap<string, string> = new Map([
  ['openid', 'know who you are'],
  ['offline_access', 'go on while you are away, until you end it'],
  ['admin:read', 'see everything of the tenant'],
  ['authz:check', 'ask whether others may do something'],
  ['identity:read', 'see agents, keys, apps and people'],
  ['identity:write', 'make and end agents, keys, apps and people'],
  ['ledger:read', 'read the audit ledger'],
  ['ops:record', 'record runs of scripts'],
  ['policy:write', 'change policies'],
  ['tasks:read', 'see tasks and notes'],
  ['tasks:write', 'make and change tasks and notes'],
  ['telemetry:read', 'see runs and what they cost'],
  ['telemetry:write', 'record runs'],
  ['tenants:write', 'make and disable tenants'],
])

/** What a scope allows, for people. */
export function scopeWords(scope: string): string {
  const known = words.get(scope)
  if (known !== undefined) return known
  const [noun = scope, verb = ''] = scope.split(':')
  const does = verb === 'read' ? 'see' : verb === 'write' ? 'change' : `use ${verb} of`
  return `${does} ${noun}`
}
