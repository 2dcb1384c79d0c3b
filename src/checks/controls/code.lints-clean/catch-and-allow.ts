import { callOf } from '../../collect/sources/calls.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { functionAround, functionName, statementsOf } from './functions.ts'
import { finding, type Lint } from './lint.ts'

const name = 'catch-and-allow'
// Functions that decide who may.
const decides =
  /auth(?!or(?:s|ed_?by)?$)|permi(?:t|ssion)|allow|entitle|access|(?:^|_)acl|guard|polic(?:y|ies)|(?:verif|validat|check)\w*(?:token|jwt|signature|credential|scope|role|session|api_?key|password)|has_?(?:role|scope|right)/i
const can = /^can(?:_[a-z]|[A-Z])/
// Their yes is a no, or letting through is what they are for.
const reversed =
  /den(?:y|ied)|block|forbid|expired|revoked|reject|invalid|require|needs?(?:_|[A-Z])|should|optional|maybe|soft|(?:^|_)try|skip|public|accessib|accessor|readable|writable|exist|file|path|log(?:ger)?$/i

// The yes is near the error.
const nearby = {
  javascript: /\bcatch\b[^]{0,400}?(?:\btrue\b|\bnext\s{0,4}\(|\ballow\()/,
  python: /\bexcept\b[^]{0,400}?\bTrue\b/,
  go: /err != nil \{[^]{0,400}?(?:\btrue\b|\.ServeHTTP\()/i,
}

/** A check that fails open: an error in deciding counts as a yes. */
export const catchAndAllow: Lint = {
  name,
  triggers: { javascript: /\bcatch\b/, python: /\bexcept\b/, go: /err != nil \{/i },
  worthParsing({ file: { text }, language }) {
    return nearby[language].test(text) && (decides.test(text) || /\bcan(?:_[a-z]|[A-Z])/.test(text))
  },
  inspect(source) {
    if (source.language === 'javascript') return source.nodes('CatchClause').flatMap((node) => inCatch(source, node))
    if (source.language === 'python') return source.nodes('TryStatement').flatMap((node) => inExcept(source, node))
    return source.nodes('IfStatement').flatMap((node) => inGo(source, node))
  },
}

function inCatch(source: Source, node: SyntaxNode): readonly Evidence[] {
  const allowing = statementsOf(node.getChild('Block')).find((each) => allows(source, each))
  return allowing === undefined ? [] : judged(source, node, allowing)
}

function inExcept(source: Source, node: SyntaxNode): readonly Evidence[] {
  const inner = children(node)
  return inner.flatMap((body, at) => {
    if (body.name !== 'Body') return []
    const head = inner.slice(0, at).findLastIndex(({ name: kind }) => /^(?:try|except|else|finally)$/.test(kind))
    if (inner[head]?.name !== 'except') return []
    const statements = statementsOf(body)
    const allowing = statements.find((each) => allows(source, each))
    if (allowing !== undefined) return judged(source, node, allowing)
    // The error is passed over, and behind it stands the yes.
    const next = node.nextSibling
    const passes = statements.length === 1 && statements[0]?.name === 'PassStatement'
    return passes && next !== null && allows(source, next) ? judged(source, node, next) : []
  })
}

function inGo(source: Source, node: SyntaxNode): readonly Evidence[] {
  const condition = node.getChild('BinaryExp')
  if (condition === null || !/^\w*[eE]rr\w* != nil$/.test(source.text(condition))) return []
  const allowing = statementsOf(node.getChild('Block')).find((each) => allows(source, each))
  return allowing === undefined ? [] : judged(source, node, allowing)
}

// `return true`, `return { allowed: true }`, `next()`, `callback(null, true)`.
function allows(source: Source, statement: SyntaxNode): boolean {
  const text = source.text(statement).replace(/;$/, '').trim()
  if (/^return\s+(?:true|True)(?:, nil)?$/.test(text)) return true
  if (/^return\s+\{\s*(?:allowed|allow|ok|authorized|valid|permitted|granted)\s*:\s*true\b[^]{0,80}\}$/.test(text))
    return true
  const [first, second] = parts(statement)
  const call = callOf(
    source,
    first?.name === 'return' ? (second?.name === 'AwaitExpression' ? parts(second)[1] : second) : first,
  )
  if (call === undefined) return false
  if (call.path === 'next' || call.path === 'allow') return call.args.length === 0
  if (/^next\.(?:ServeHTTP|handle)$/.test(call.path)) return true
  return (
    /^(?:cb|callback|done)$/.test(call.path) &&
    call.args.length === 2 &&
    source.text(call.node).endsWith('(null, true)')
  )
}

function judged(source: Source, node: SyntaxNode, allowing: SyntaxNode): readonly Evidence[] {
  const around = functionAround(node)
  const own = around === undefined ? '' : functionName(source, around)
  const outer = around === undefined ? undefined : functionAround(around)
  const called = own === '' && outer !== undefined ? functionName(source, outer) : own
  if (!(decides.test(called) || can.test(called)) || reversed.test(called)) return []
  const detail = `An error in ${called} counts as a yes: whoever can make it fail is let in.`
  return [finding(name, source, allowing, 'FAIL', 'high', detail)].map((each) => ({
    ...each,
    subject: `${name} ${called} ${source.text(allowing)}`,
  }))
}
