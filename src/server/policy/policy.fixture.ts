import * as wasm from '@cedar-policy/cedar-wasm/nodejs'
import type { Caller } from '#core'
import { Cedar } from './cedar.ts'
import { checkSet, type CheckedSet } from './check-set.ts'
import { policySchema } from './schema.ts'

// For tests: a caller, and policies from text.

export const services = new Set(['tickets:read', 'tickets:write'])

export function callerWith(changes: Partial<Caller> = {}): Caller {
  return {
    kind: 'agent',
    id: 'agt_1',
    tenant: { id: 'ten_1', name: 'main' },
    scopes: new Set(['telemetry:write', 'tickets:read']),
    credential: { kind: 'api_key', id: 'key_1' },
    ...changes,
  }
}

/** The policies in force; a test that gives wrong ones fails with what is wrong with them. */
export async function cedarWith(text: string): Promise<{ readonly cedar: Cedar; readonly set: CheckedSet }> {
  const cedar = await Cedar.load()
  const checked = checkSet(wasm, [{ name: 'test.cedar', text }], policySchema(services))
  if (!checked.ok) throw new Error(checked.problems.map(({ line, message }) => `${line}: ${message}`).join('\n'))
  cedar.activate(checked.set)
  return { cedar, set: checked.set }
}
