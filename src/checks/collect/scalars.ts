import type { ScalarValue, Value } from './value.ts'

/** Every value that is a scalar, keys not among them; what an anchor repeats comes once. */
export function scalarsOf(root: Value): readonly ScalarValue[] {
  const found: ScalarValue[] = []
  const seen = new Set<Value>()
  const visit = (value: Value): void => {
    if (seen.has(value)) return
    seen.add(value)
    if (value.kind === 'scalar') found.push(value)
    else if (value.kind === 'list') value.items.forEach(visit)
    else for (const entry of value.entries) visit(entry.value)
  }
  visit(root)
  return found
}
