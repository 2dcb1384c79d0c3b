/** A node of the syntax tree of PostgreSQL's own parser, as JSON; absent fields are false, zero or empty. */
export type Node = Readonly<Record<string, unknown>>

export function nodeAt(node: Node | undefined, ...path: readonly string[]): Node | undefined {
  let at: unknown = node
  for (const key of path) at = isNode(at) ? at[key] : undefined
  return isNode(at) ? at : undefined
}

export function nodesAt(node: Node | undefined, ...path: readonly string[]): readonly Node[] {
  const holder = path.length === 1 ? node : nodeAt(node, ...path.slice(0, -1))
  const found = holder?.[path.at(-1) ?? '']
  return Array.isArray(found) ? found.filter(isNode) : []
}

export function textAt(node: Node | undefined, ...path: readonly string[]): string | undefined {
  const holder = path.length === 1 ? node : nodeAt(node, ...path.slice(0, -1))
  const found = holder?.[path.at(-1) ?? '']
  return typeof found === 'string' ? found : undefined
}

/** The text of a `String` node or of a constant; a cast around it does not matter. */
export function constantOf(node: Node | undefined): string | undefined {
  let at = node
  for (let level = 0; at !== undefined && level < 10; level += 1) {
    const text = textAt(at, 'String', 'sval') ?? textAt(at, 'A_Const', 'sval', 'sval')
    if (text !== undefined) return text
    at = nodeAt(at, 'TypeCast', 'arg') ?? nodeAt(at, 'NamedArgExpr', 'arg')
  }
  return undefined
}

/** The names of a dotted name. */
export function namesOf(nodes: readonly Node[]): readonly string[] {
  return nodes.flatMap((node) => constantOf(node) ?? [])
}

/** Every node within, the outer one first. */
export function* within(node: Node): Generator<Node> {
  const waiting: unknown[] = [node]
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (isNode(next)) {
      yield next
      waiting.push(...Object.values(next).toReversed())
    } else if (Array.isArray(next)) waiting.push(...next.toReversed())
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
