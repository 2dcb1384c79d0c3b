import { callOf, callsOf, memberName, namePath } from '../../collect/sources/calls.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { functionAround } from './functions.ts'
import { finding, type Lint } from './lint.ts'

const name = 'wrapped-subprocess-output'
const runs = /child_process|\bexeca\b|\bspawn(?:Sync)?\(|Bun\.spawn|Deno\.Command|\bzx\b/
const outputs = /^(?:stderr|stdout|combinedOutput|stdErr|stdOut)$/
const bounding =
  /(?:slice|substring|substr|tail|head|trunc\w*|limit\w*|bound\w*|clip|short\w*|excerpt|lines|last\w*|redact\w*)\b/i

/** All that a program said goes into an error, with its secrets and at any length. */
export const subprocessOutput: Lint = {
  name,
  triggers: { javascript: /\bstd(?:err|out)/i, python: /subprocess/, go: /\.(?:Combined)?Output\(\)/ },
  worthParsing({ file: { text }, language }) {
    if (language === 'go') return /\b(?:Errorf|Wrapf?|errors\.New)\(/.test(text)
    return language === 'python' ? /\braise\b/.test(text) : text.includes('Error(') && runs.test(text)
  },
  inspect(source) {
    if (source.language === 'go') return inGo(source)
    if (source.language === 'python') return source.nodes('RaiseStatement').flatMap((node) => raised(source, node))
    return source.nodes('NewExpression').flatMap((node) => {
      const call = callOf(source, node)
      const [message] = call?.args ?? []
      if (call === undefined || message === undefined || !call.name.endsWith('Error')) return []
      const whole = wholeIn(source, message)
      return whole === undefined || boundedBefore(source, whole) ? [] : [said(source, node)]
    })
  },
}

function said(source: Source, node: SyntaxNode): Evidence {
  const script = /(?:^|\/)(?:scripts?|tools?|bin|ci|\.github|build)\//.test(source.file.path)
  const detail =
    'The whole output of a program goes into an error: it may hold secrets and has no end. Keep its first and last lines, redacted.'
  return finding(name, source, node, script ? 'WARN' : 'FAIL', script ? 'low' : 'medium', detail)
}

// The output itself, in a template, in a sum, or with `.toString()` and `.trim()`; not what a function made of it.
function wholeIn(source: Source, node: SyntaxNode, depth = 0): SyntaxNode | undefined {
  if (depth > 6) return undefined
  if (node.name === 'VariableName' || node.name === 'MemberExpression')
    return outputs.test(lastName(source, node)) ? node : undefined
  if (node.name === 'CallExpression') {
    const call = callOf(source, node)
    const plain = call !== undefined && /^(?:toString|trim|trimEnd|decode|strip)$/.test(call.name)
    return plain && call.target !== undefined ? wholeIn(source, call.target, depth + 1) : undefined
  }
  const inside =
    /^(?:TemplateString|Interpolation|BinaryExpression|ParenthesizedExpression|FormatString|FormatReplacement)$/
  if (!inside.test(node.name)) return undefined
  for (const child of children(node)) {
    const found = wholeIn(source, child, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

function lastName(source: Source, node: SyntaxNode): string {
  const path = namePath(source, node)
  return path === '' ? memberName(source, node) : path.slice(path.lastIndexOf('.') + 1)
}

// `const stderr = tail(output)`: the name holds what was cut already. Or the reading stops at a size.
function boundedBefore(source: Source, node: SyntaxNode): boolean {
  const around = functionAround(node)
  const before = source.text({ from: around?.from ?? 0, to: node.from }).slice(-3000)
  const own = lastName(source, node)
  return before
    .split('\n')
    .some((line) => line.includes(own) && (bounding.test(line) || /max|length\s*[<>]/i.test(line)))
}

function raised(source: Source, node: SyntaxNode): readonly Evidence[] {
  const call = parts(node)
    .map((each) => callOf(source, each))
    .find((each) => each !== undefined)
  const [message] = call?.args ?? []
  if (message === undefined) return []
  const whole = wholeIn(source, message)
  const output = whole ?? (/^\w+\.output$/.test(source.text(message)) ? message : undefined)
  return output === undefined || boundedBefore(source, output) ? [] : [said(source, node)]
}

// `out, err := cmd.CombinedOutput()` and then `fmt.Errorf("…%s", out)` in the same function.
function inGo(source: Source): readonly Evidence[] {
  const held = new Set(
    source.nodes('VarDecl', 'Assignment').flatMap((node) => {
      const [first] = parts(node)
      const call = parts(node)
        .map((each) => callOf(source, each))
        .find((each) => each !== undefined)
      const takes = call !== undefined && /^(?:CombinedOutput|Output)$/.test(call.name) && call.args.length === 0
      return takes && first !== undefined ? [key(source.text(first), functionAround(node))] : []
    }),
  )
  if (held.size === 0) return []
  return callsOf(source).flatMap(({ node, path, args }) => {
    if (!/^(?:fmt\.Errorf|errors\.(?:New|Errorf|Wrapf?))$/.test(path)) return []
    const around = functionAround(node)
    const whole = args.some((arg) => {
      const [, inner] = /^(?:string\(|strings\.TrimSpace\(string\()?(\w+)\)*$/.exec(source.text(arg)) ?? []
      return inner !== undefined && held.has(key(inner, around))
    })
    return whole ? [said(source, node)] : []
  })
}

function key(held: string, around: SyntaxNode | undefined): string {
  return `${around?.from ?? 0} ${held}`
}
