import { callOf, callsOf, namePath, type Call } from '../../collect/sources/calls.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { statementsOf } from './functions.ts'
import { finding, isForwarder, type Lint } from './lint.ts'

const name = 'ignored-unlink-errors'
const removes = /^(?:unlink|unlinkSync|rm|rmSync|rmdir|rmdirSync|remove|removeSync)$/
const paths =
  /^(?:(?:\w+\.)*(?:fs|fsp|promises|fsPromises|fse)\.)?(?:unlink|unlinkSync|rm|rmSync|rmdir|rmdirSync)$|^(?:fs|fse)\.remove(?:Sync)?$/

/** A file that cannot be removed, and nobody hears of it: the disk fills, or what was to be gone stays. */
export const unlinkErrors: Lint = {
  name,
  triggers: {
    javascript: /\b(?:unlink|rm|rmdir|remove)(?:Sync)?\(/,
    python: /\.(?:remove|unlink|rmtree)\(/,
    go: /os\.Remove/,
  },
  inspect(source) {
    if (source.language === 'go')
      return source.nodes('CallExpr').flatMap((node) => (isDropped(source, node) ? [said(source, node)] : []))
    if (source.language === 'python')
      return [
        ...source.nodes('TryStatement').flatMap((node) => passedOver(source, node)),
        ...source.nodes('WithStatement').flatMap((node) => suppressed(source, node)),
      ]
    return [
      ...callsOf(source).flatMap((call) => (isIgnored(source, call) ? [said(source, call.node)] : [])),
      ...source.nodes('TryStatement').flatMap((node) => swallowed(source, node)),
    ]
  },
}

function said(source: Source, node: SyntaxNode): Evidence {
  const forwarder = isForwarder(source)
  const detail = 'Whether the file could be removed is not looked at: say it once where it could not.'
  return finding(name, source, node, forwarder ? 'FAIL' : 'WARN', forwarder ? 'medium' : 'low', detail)
}

// `unlink(path, () => {})`, `unlink(path).catch(() => {})`.
function isIgnored(source: Source, { path, name: called, target, args }: Call): boolean {
  if (paths.test(path)) return args.length > 1 && isEmptyFunction(source, args.at(-1))
  if (called !== 'catch' || target === undefined || !isEmptyFunction(source, args[0])) return false
  const inner = callOf(source, target)
  return inner !== undefined && paths.test(inner.path) && removes.test(inner.name)
}

function isEmptyFunction(source: Source, node: SyntaxNode | undefined): boolean {
  if (node === undefined) return false
  if (node.name === 'VariableName') return /^(?:noop|_?ignore|nop)$/.test(source.text(node))
  if (node.name !== 'ArrowFunction' && node.name !== 'FunctionExpression') return false
  const block = node.getChild('Block')
  if (block !== null) return statementsOf(block).length === 0
  return ['undefined', 'null', 'void 0', 'false'].includes(source.text(node.lastChild ?? node))
}

// `try { unlinkSync(path) } catch {}` with nothing else in it.
function swallowed(source: Source, node: SyntaxNode): readonly Evidence[] {
  const handler = node.getChild('CatchClause')?.getChild('Block')
  if (handler === null || handler === undefined || statementsOf(handler).length > 0) return []
  const statements = statementsOf(node.getChild('Block'))
  const [only] = statements
  if (statements.length !== 1 || only === undefined) return []
  const expression = parts(only)[0]
  const call = callOf(source, expression?.name === 'AwaitExpression' ? parts(expression)[1] : expression)
  return call !== undefined && paths.test(call.path) ? [said(source, node)] : []
}

const pythonRemoves = /^(?:os\.(?:remove|unlink|rmdir)|shutil\.rmtree)$|\.unlink$/

function pythonCall(source: Source, body: SyntaxNode | undefined): boolean {
  const statements = statementsOf(body)
  const [only] = statements
  const call = statements.length === 1 && only !== undefined ? callOf(source, only.firstChild) : undefined
  if (call === undefined) return false
  return pythonRemoves.test(call.path) || (call.name === 'unlink' && call.path === '')
}

// That it is gone already is what was wanted.
const gone = /^(?:FileNotFoundError|\w+\.FileNotFoundError)$/

function passedOver(source: Source, node: SyntaxNode): readonly Evidence[] {
  const inner = children(node)
  const body = inner.find(({ name: kind }) => kind === 'Body')
  if (!pythonCall(source, body)) return []
  return inner.flatMap((each, at) => {
    if (each.name !== 'except') return []
    const after = inner.slice(at + 1)
    const handler = after.find(({ name: kind }) => kind === 'Body')
    const [kind] = after
    const statements = statementsOf(handler)
    if (kind !== undefined && kind.name !== 'Body' && gone.test(source.text(kind))) return []
    return statements.length === 1 && statements[0]?.name === 'PassStatement' ? [said(source, node)] : []
  })
}

function suppressed(source: Source, node: SyntaxNode): readonly Evidence[] {
  const call = callOf(source, node.getChild('CallExpression'))
  if (call === undefined || call.name !== 'suppress' || !pythonCall(source, node.getChild('Body') ?? undefined))
    return []
  return call.args.every((arg) => gone.test(namePath(source, arg))) ? [] : [said(source, node)]
}

// `os.Remove(path)` as a statement of its own, or to nowhere; deferred ones and those of whole folders clean up at the end.
function isDropped(source: Source, node: SyntaxNode): boolean {
  const call = callOf(source, node)
  if (call === undefined || call.path !== 'os.Remove') return false
  const around = node.parent
  if (around?.name === 'ExprStatement') return true
  return around?.name === 'Assignment' && /^_\s*=/.test(source.text(around))
}
