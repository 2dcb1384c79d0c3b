import { memberName, namePath } from '../../collect/sources/calls.ts'
import { children, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { functionAround } from './functions.ts'
import { finding, type Lint } from './lint.ts'

const name = 'constant-time-compare'
const strong =
  /(?:(?:auth|access|refresh|session|service|admin|api|bearer|csrf|xsrf|secret|internal|webhook|invite|reset|legacy|expected)_?token|api_?key|secret(?:_?key)?|passw(?:or)?d|hmac|(?:expected|computed|actual|provided|given|received|webhook|hub|request)_?(?:signature|sig|digest|mac|hash)|authorization)$/i
const plain = /(?:^|[._])(?:token|signature|sig|digest|mac)$|[a-z](?:Token|Signature|Digest|Mac)$/
// Where a value of a caller or of the settings comes from.
const origin =
  /\b(?:req|request|ctx|context|event|c|r)\.(?:headers?|query|body|params|cookies|get|Header|URL|Form\w*|args|form|META)\b|\bheaders?[[.(]|process\.env|\benv\.[A-Z]|os\.environ|os\.[gG]etenv|Deno\.env|\b(?:config|cfg|settings|conf)\.|expected|provided|computed|supplied|received|incoming|\.(?:hex)?digest\(|\.Sum\(nil\)|createHmac|hmac\./i
// The same thing twice: forms, caches, states.
const twins =
  /confirm|repeat|again|retype|verify_?password|password_?2|prev|previous|current|last|next|old|new|initial|cached|stored_?at|dirty/i
// A function or a flag, named after what it does.
const verb =
  /^(?:issue|should|use|enable|validate|verify|create|generate|get|has|is|needs?|require|rotate|revoke|check|parse|on|set)(?:_|[A-Z])/
const literals = new Set(
  (
    'String Number BooleanLiteral Boolean null None Nil Bool UnaryExpression UnaryExp RegExp ' +
    'ArrayExpression ObjectExpression TypedLiteral ClassExpression NewExpression Rune'
  ).split(' '),
)

// A name of a secret right before the operator, or at the end of what stands right behind it.
const trigger =
  /(?:token|api_?key|secret(?:_?key)?|passw(?:or)?d|signature|sig|digest|hmac|mac|hash|authorization)[\w]{0,3}["'`)\]!]{0,3}\s{0,10}[!=]==?\s{0,10}(?!["'\d]|null|undefined|None|nil|typeof|true|false|len\()|[!=]==?\s{0,10}[\w.$[\]"'`({!?\- ]{0,80}?(?:token|api_?key|secret(?:_?key)?|passw(?:or)?d|signature|sig|digest|hmac|mac|hash|authorization)\b/i

const everyTrigger = new RegExp(trigger.source, 'gi')
const nearStrong = new RegExp(strong.source.replace(/\$$/, String.raw`(?!\w)`), 'i')

/** Secrets compared letter by letter: how long it takes tells how much was right. */
export const constantTime: Lint = {
  name,
  triggers: { javascript: trigger, python: trigger, go: trigger },
  worthParsing: ({ file: { text } }) => {
    for (const { index, 0: match } of text.matchAll(everyTrigger)) {
      const near = text.slice(Math.max(0, index - 120), index + match.length + 120)
      if (nearStrong.test(near) || origin.test(near)) return true
    }
    return false
  },
  inspect(source) {
    return source.nodes('BinaryExpression', 'BinaryExp').flatMap((node) => compared(source, node))
  },
}

function compared(source: Source, node: SyntaxNode): readonly Evidence[] {
  const operator = node.getChild('CompareOp')
  if (operator === null || !/^[!=]==?$/.test(source.text(operator))) return []
  const [left, right] = [operator.prevSibling, operator.nextSibling]
  if (left === null || right === null || literals.has(left.name) || literals.has(right.name)) return []
  const a = operandOf(source, left, left.to)
  const b = operandOf(source, right, rightEnd(source, node, right))
  if (a === undefined || b === undefined) return []
  const kind = sureness(a, b) ?? sureness(b, a)
  if (kind === undefined || alreadySafe(source, node)) return []
  const place = { from: left.from, to: right.from + b.text.length }
  const detail =
    'A secret is compared letter by letter, and the time that takes tells how much of a guess is right: compare in constant time.'
  return [finding(name, source, place, 'FAIL', kind, detail)]
}

interface Operand {
  readonly name: string
  readonly text: string
}

function operandOf(source: Source, node: SyntaxNode, end: number): Operand | undefined {
  const text = source.text({ from: node.from, to: end }).slice(0, 300)
  if (/^(?:undefined|null|None|nil|true|false|True|False|NaN|""|''|typeof\b.*|len\(.*)$/.test(text)) return undefined
  if (/\.(?:length|size|type|kind|id|name|byteLength|value_type|expiresAt)$/.test(text)) return undefined
  // A constant of the program: a kind of token, an error. Not a setting.
  if (/^(?:[A-Z]\w*\.)*[A-Z][A-Za-z0-9_]*$/.test(text) && !/SECRET|TOKEN|KEY|PASSW|SIGNATURE/.test(text))
    return undefined
  if (/^(?:[A-Z]\w*\.)+[A-Z]\w*$/.test(text)) return undefined
  const path = /\.\w+$/.test(text) || /^\w+$/.test(text) ? (text.split('.').at(-1) ?? '') : ''
  const own = path === '' ? namePath(source, node) || memberName(source, node) : path
  return { name: own.replaceAll('-', '_').replace(/_(?:sha)?256$/, ''), text }
}

function sureness(a: Operand, b: Operand): 'high' | 'medium' | undefined {
  if ([a, b].some((each) => twins.test(each.name) || verb.test(each.name))) return undefined
  const credential = strong.test(a.name) || a.text.startsWith('`Bearer ${')
  const fromOutside = origin.test(b.text) || origin.test(a.text)
  if (credential && (fromOutside || strong.test(b.name))) return 'high'
  return plain.test(a.name) && fromOutside && (plain.test(b.name) || strong.test(b.name) || origin.test(b.text))
    ? 'medium'
    : undefined
}

// After a comparison in constant time the same values may be compared again, for a log or a message.
function alreadySafe(source: Source, node: SyntaxNode): boolean {
  const around = functionAround(node)
  const text = around === undefined ? '' : source.text(around)
  return /timingSafeEqual|compare_digest|ConstantTimeCompare|constantTime|hmac\.Equal|safeCompare|secure_compare|safe_compare/i.test(
    text.length > 20_000 ? '' : text,
  )
}

// The Go grammar takes what follows the right operand for a part of the comparison: `a == b.c` as `(a == b).c`.
function rightEnd(source: Source, node: SyntaxNode, right: SyntaxNode): number {
  let end = right.to
  if (source.language !== 'go') return end
  let inner = node
  for (let around = node.parent; around !== null; around = around.parent) {
    if (!/^(?:SelectorExpr|CallExpr|IndexExpr|SliceExpr)$/.test(around.name) || around.from !== inner.from) break
    if (children(around)[0]?.from !== inner.from) break
    end = around.to
    inner = around
  }
  return end
}
