import type { Language, Source, SyntaxNode } from '../../collect/sources/source.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import type { Confidence } from '../../outcome.ts'

/** One habit that makes a hole, looked for in the syntax tree. */
export interface Lint {
  /** Never renamed: fingerprints are bound to it. */
  readonly name: string
  /** By language: true for each text in which it could find something, and linear. The language is not looked at without one. */
  readonly triggers: Partial<Readonly<Record<Language, RegExp>>>
  /** After a trigger: a closer look at the text, where the trigger is a common word. */
  worthParsing?(source: Source): boolean
  inspect(source: Source): readonly Evidence[]
}

/** Makes the evidence of a lint; the subject is its name and the text of the place. */
export function finding(
  lint: string,
  source: Source,
  node: Pick<SyntaxNode, 'from' | 'to'>,
  outcome: 'FAIL' | 'WARN',
  confidence: Confidence,
  detail: string,
): Evidence {
  const say = outcome === 'FAIL' ? failing : doubtful
  return say(source.spot(node), detail, { confidence, subject: `${lint} ${source.text(node)}` })
}

const forwarding =
  /(?:^|[/_.-])(?:spill|forward(?:er|ing)?|sink|export(?:er)?|queue|outbox|telemetry|collector|webhook|uploader|relay|shipper)s?(?=[/_.-])/i

/** Code that sends or keeps data on behalf of others, by its path: what it does not notice grows. */
export function isForwarder({ file }: Source): boolean {
  return forwarding.test(file.path)
}

/** A number that is written out: `1024 ** 3`, `1 << 30`, `Infinity`, `math.MaxInt32`, `'50mb'`; undefined for everything else. */
export function constantOf(source: Source, node: SyntaxNode | undefined): number | undefined {
  if (node === undefined) return undefined
  const text = source.text(node).replaceAll('_', '').trim()
  if (text.length > 80) return undefined
  if (unlimited.test(text)) return Number.POSITIVE_INFINITY
  const literal = source.literal(node)
  if (literal !== undefined) return bytesOf(literal)
  if (/^-?(?:0x[\da-f]+|\d+(?:\.\d+)?(?:e\d+)?)$/i.test(text)) return Number(text)
  const [left, operator, right, ...more] = text.split(/(\*\*|<<|[*])/)
  if (left === undefined || operator === undefined || right === undefined) return undefined
  let value = Number(left.replaceAll(/[()]/g, ''))
  const rest = [operator, right, ...more]
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const by = Number((rest[at + 1] ?? '').replaceAll(/[()]/g, ''))
    if (rest[at] === '**') value **= by
    else if (rest[at] === '<<') value *= 2 ** by
    else value *= by
  }
  return Number.isFinite(value) ? value : undefined
}

const unlimited =
  /^(?:Infinity|Number\.(?:MAXSAFEINTEGER|MAXVALUE|POSITIVEINFINITY|MAX_SAFE_INTEGER)|math\.(?:MaxU?[Ii]nt(?:32|64)?|inf)|sys\.maxsize|float\(["']inf["']\))$/

// As the `bytes` package reads it.
function bytesOf(text: string): number | undefined {
  const [, amount, unit = 'b'] = /^(\d+(?:\.\d+)?)\s?(b|kb|mb|gb|tb)?$/i.exec(text.trim()) ?? []
  const power = ['b', 'kb', 'mb', 'gb', 'tb'].indexOf(unit.toLowerCase())
  return amount === undefined ? undefined : Number(amount) * 1024 ** power
}

/** From here on a limit is none: 512 MiB for each request. */
export const absurdBytes = 512 * 1024 * 1024
