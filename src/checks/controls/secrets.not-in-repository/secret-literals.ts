import { isRandom, kindOfName, kindOfValue, repeatsName, type NameKind, type ValueKind } from './secret-names.ts'
import { namedLiterals, type NamedLiteral } from './named-literals.ts'
import { markOf } from '../masked.ts'
import type { Source } from '../../collect/sources/source.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'

// The end of a name of a secret with a literal near behind it. Each part is bounded: it takes linear time.
const candidate =
  /(?:secret|passw|passphrase|pwd|token|(?:api|secret|access|private|signing|encryption|hmac|jwt)[_-]?key|key_?base)[\w$-]{0,40}(?=["'`\])!?]{0,3}[^"'`\w;{}][^"'`;{}]{0,100}["'`]{1,3}([^"'`\n]{3,400}))/gi
const nameCharsMax = 60
const signing = /\b(?:jwt|JWT|jsonwebtoken)\.(?:sign|verify|encode|decode)\(/

/** Literals of a source file that are secrets by their name and by what they say. */
export function secretLiterals(source: Source): readonly Evidence[] {
  if (!mayHoldLiteral(source)) return []
  if (source.unclear !== undefined) {
    const spot = source.spot({ from: 0, to: 0 })
    return [
      unjudged('UNKNOWN', spot, `Its literals were not looked at. ${source.unclear}`, { subject: 'unclear source' }),
    ]
  }
  return namedLiterals(source).flatMap((literal) => judged(source, literal) ?? [])
}

// Whether parsing is worth it: looks at the text alone and lets through whatever could be one.
function mayHoldLiteral({ file, test }: Source): boolean {
  if (!test && signing.test(file.text)) return true
  for (const { index, 0: end, 1: value = '' } of file.text.matchAll(candidate)) {
    let from = index
    while (from > 0 && index - from < nameCharsMax && /[\w$-]/.test(file.text[from - 1] ?? '')) from -= 1
    const name = file.text.slice(from, index + end.length)
    const kind = kindOfName(name)
    if (kind === undefined) continue
    if (test ? isRandom(value) : matters(kind, kindOfValue(name, value, true))) return true
  }
  return false
}

// A parser has words for its tokens, and so has a page of a list.
function matters(kind: NameKind, form: ValueKind): boolean {
  return kind === 'token' ? form === 'placeholder' || form === 'random' : form !== 'reference'
}

function judged(source: Source, { name, value, node, fallback }: NamedLiteral): Evidence | undefined {
  const kind = kindOfName(name)
  if (kind === undefined) return undefined
  const form = kindOfValue(name, value, fallback)
  if (!matters(kind, form)) return undefined
  const spot = source.spot(node)
  const subject = `${name} ${markOf(value)}`
  if (source.test)
    // What a standard publishes as an example is no secret.
    return isRandom(value) && !repeatsName(name, value) && !source.mentions(/\bRFC ?\d{4}|\bNIST\b|test vector/i)
      ? doubtful(spot, `${name} is a literal in code for tests, and looks like a real one.`, {
          subject,
          confidence: 'low',
        })
      : undefined
  if (fallback) {
    const sure = kind === 'machine' || form === 'placeholder' || form === 'random'
    return failing(spot, `Where ${name} is not set, a value that everybody can read takes its place.`, {
      subject,
      confidence: sure ? 'high' : 'medium',
    })
  }
  if (kind === 'machine' && (form !== 'word' || /jwt|session|cookie|app|auth|secret_?key/i.test(name)))
    return failing(spot, `${name} is a literal in the code.`, { subject })
  if (form === 'placeholder' || form === 'random')
    return repeatsName(name, value) && form !== 'random'
      ? undefined
      : failing(spot, `${name} is a literal in the code.`, {
          subject,
          confidence: kind === 'token' ? 'medium' : 'high',
        })
  if (kind === 'credential' && form === 'mixed' && !repeatsName(name, value))
    return failing(spot, `${name} is a literal in the code.`, { subject, confidence: 'medium' })
  return undefined
}
