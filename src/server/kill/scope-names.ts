import { KillScopeKind } from '@portcullis/contract'

const names: Readonly<Record<number, string>> = {
  [KillScopeKind.EVERYTHING]: 'everything',
  [KillScopeKind.TENANT]: 'tenant',
  [KillScopeKind.AGENT]: 'agent',
  [KillScopeKind.KEY]: 'key',
  [KillScopeKind.MODEL]: 'model',
  [KillScopeKind.TOOL]: 'tool',
  [KillScopeKind.JOB_KIND]: 'job_kind',
}

/** The word for a scope in facts, metrics and events. */
export function scopeKindName(scope: number): string {
  return names[scope] ?? 'unknown'
}

export const scopeKinds: readonly string[] = Object.values(names)
