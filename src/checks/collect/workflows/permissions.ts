import type { ScalarValue, Value } from '../values/value.ts'

/** What a `permissions` key of a workflow or job says. */
export type Permissions =
  /** It is not there: for a job what the workflow says, else what the settings of the repository say. */
  | { readonly kind: 'default' }
  | { readonly kind: 'all'; readonly node: Value; readonly level: 'read' | 'write' }
  /** All that is not named is `none`. */
  | { readonly kind: 'scopes'; readonly node: Value; readonly writes: readonly Scope[] }
  | { readonly kind: 'refused'; readonly node: Value; readonly why: string }

export interface Scope {
  readonly name: ScalarValue
  readonly level: ScalarValue
}

const levels = new Set(['read', 'write', 'none'])

export function permissionsOf(node: Value | undefined): Permissions {
  if (node === undefined) return { kind: 'default' }
  if (node.kind === 'scalar') {
    if (node.text === 'read-all') return { kind: 'all', node, level: 'read' }
    if (node.text === 'write-all') return { kind: 'all', node, level: 'write' }
    return { kind: 'refused', node, why: '`permissions` is a map of scopes, `read-all`, `write-all` or `{}`.' }
  }
  if (node.kind === 'list') return { kind: 'refused', node, why: '`permissions` is a map of scopes, not a list.' }
  const writes: Scope[] = []
  for (const { key, value } of node.entries) {
    if (value.kind !== 'scalar' || !levels.has(value.text))
      return { kind: 'refused', node: value, why: `The level of "${key.text}" is read, write or none.` }
    if (value.text === 'write') writes.push({ name: key, level: value })
  }
  return { kind: 'scopes', node, writes }
}
