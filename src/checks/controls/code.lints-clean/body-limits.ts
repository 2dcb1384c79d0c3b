import { callOf, callsOf, memberName, namePath, type Call } from '../../collect/sources/calls.ts'
import { parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { functionAround } from './functions.ts'
import { absurdBytes, constantOf, finding, type Lint } from './lint.ts'

const name = 'body-limits'
// What is looked at of the function around a place.
const functionCharsMax = 8000
const says = 'The limit on request bodies is none: one request can fill the memory. Name the size that is needed.'

/** Request bodies without a limit that means something. */
export const bodyLimits: Lint = {
  name,
  triggers: {
    javascript:
      /bodyLimit|\.?(?:json|urlencoded|raw|text|koaBody|bodyParser)\(\s{0,10}\{[^}]{0,200}\blimit|\b(?:req|request)\.on\(\s{0,4}['"`]data/,
    python: /client_max_size|MAX_CONTENT_LENGTH|DATA_UPLOAD_MAX_MEMORY_SIZE|rfile\.read/,
    go: /ReadAll\(\s{0,4}\w+\.Body/,
  },
  inspect(source) {
    if (source.language === 'go') return callsOf(source).flatMap((call) => inGo(source, call))
    if (source.language === 'python') return inPython(source)
    return [
      ...source.nodes('Property').flatMap((node) => settings(source, node)),
      ...callsOf(source).flatMap((call) => chunks(source, call)),
    ]
  },
}

const parsers =
  /^(?:express|bodyParser|body_parser|parser)\.(?:json|urlencoded|raw|text)$|^(?:json|urlencoded|koaBody|bodyParser)$/

// `bodyLimit` of Fastify, `limit` of the parsers of Express.
function settings(source: Source, node: SyntaxNode): readonly Evidence[] {
  const key = node.firstChild
  const value = parts(node).at(-1)
  if (key === null || value === undefined) return []
  const text = source.literal(key) ?? source.text(key)
  if (text !== 'bodyLimit' && text !== 'limit') return []
  if (text === 'limit') {
    const call = callOf(source, node.parent?.parent?.parent)
    if (call === undefined || !parsers.test(call.path)) return []
  }
  const bytes = constantOf(source, value)
  return bytes !== undefined && bytes >= absurdBytes ? [finding(name, source, node, 'FAIL', 'high', says)] : []
}

// `req.on('data', chunk => body += chunk)` with nothing around it that looks at the size.
function chunks(source: Source, { node, name: called, target, args }: Call): readonly Evidence[] {
  if (called !== 'on' || target === undefined || source.literal(args[0]) !== 'data') return []
  if (!/^(?:\w+\.)?(?:req|request)$/.test(namePath(source, target) || memberName(source, target))) return []
  const handler = args[1]
  if (handler === undefined || !/\+=|\.push\(/.test(source.text(handler))) return []
  const around = functionAround(node)
  const text = source.text(around ?? node).slice(0, functionCharsMax)
  if (/length\s*[>+]|byteLength|max|limit|destroy|413|too.?large/i.test(text)) return []
  const detail = 'A request body is collected without a limit: one request can fill the memory.'
  return [finding(name, source, node, 'FAIL', 'medium', detail)]
}

// `io.ReadAll(r.Body)` where r is what came in, and nothing in the file bounds it.
function inGo(source: Source, { node, path, args: [given] }: Call): readonly Evidence[] {
  if (!/^(?:io|ioutil)\.ReadAll$/.test(path) || given === undefined) return []
  const [, request] = /^(\w+)\.Body$/.exec(source.text(given)) ?? []
  const around = functionAround(node)
  if (request === undefined || around === undefined) return []
  const takes = new RegExp(`\\b${request}\\s+\\*http\\.Request\\b`).test(source.text(around).slice(0, 600))
  if (!takes || source.mentions(/MaxBytes(?:Reader|Handler)|LimitReader|ContentLength\s{0,2}>/)) return []
  const detail = 'A request body is read to its end without a limit: put http.MaxBytesReader around it.'
  return [finding(name, source, node, 'FAIL', 'medium', detail)]
}

function inPython(source: Source): readonly Evidence[] {
  const keywords = callsOf(source).flatMap(({ node, path, keywords: given, args }) => {
    const size = given.get('client_max_size')
    if (
      size !== undefined &&
      (source.text(size) === 'None' || (constantOf(source, size) ?? 1) >= absurdBytes || constantOf(source, size) === 0)
    )
      return [finding(name, source, size, 'FAIL', 'high', says)]
    // `self.rfile.read(int(self.headers['Content-Length']))`
    if (
      path === 'self.rfile.read' &&
      !/min\(|max_|MAX_|LIMIT/.test(source.text(node)) &&
      args.length > 0 &&
      !boundedBefore(source, node)
    )
      return [finding(name, source, node, 'WARN', 'low', 'As many bytes are read as the caller says that there are.')]
    return []
  })
  const assigned = source.nodes('AssignStatement').flatMap((node) => {
    const inner = parts(node)
    const [target] = inner
    const value = inner.at(-1)
    if (target === undefined || value === undefined) return []
    const text = source.literal(parts(target).at(-1)) ?? source.text(target).split('.').at(-1) ?? ''
    if (!/^(?:MAX_CONTENT_LENGTH|DATA_UPLOAD_MAX_MEMORY_SIZE)$/.test(text) || source.text(value) !== 'None') return []
    return [finding(name, source, node, 'FAIL', 'high', says)]
  })
  return [...keywords, ...assigned]
}

function boundedBefore(source: Source, node: SyntaxNode): boolean {
  const around = functionAround(node)
  return (
    around !== undefined &&
    /[<>]=?|min\(/.test(source.text({ from: around.from, to: node.from }).slice(-functionCharsMax).replaceAll('->', ''))
  )
}
