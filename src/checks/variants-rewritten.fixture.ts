import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  parseDocument,
  visit,
  YAMLMap,
  type Document,
  type Node,
  type Pair,
  type ToStringOptions,
} from 'yaml'
import type { Finding } from './fingerprint.ts'
import type { Files } from './variants.fixture.ts'

/** The same fault, written in another way. */
export interface Variant {
  readonly name: string
  readonly files: Files
  /** Something uses the place a second time: there may be more findings than before, of the same kind. */
  readonly copied?: boolean
  /** Nothing but blanks, line ends and comments changed: the fingerprints are the same. */
  readonly sameText?: boolean
}

/**
 * Every way in which these files can be written that leaves their meaning; `findings` is what the check says about them. The first
 * fault of a check (`nth` 0) gets all of them, those that follow half of them each, by turns: that is enough, and fast.
 */
export function variantsOf(files: Files, findings: readonly Finding[], nth: number): readonly Variant[] {
  const plain = [
    { name: 'CRLF', files: rewritten(files, (text) => text.replaceAll('\n', '\r\n')), sameText: true },
    { name: 'byte-order mark', files: rewritten(files, (text) => `\uFEFF${text}`), sameText: true },
    {
      name: 'comment and blank line above',
      files: rewritten(files, (text, path) => below(text, commentOf(path))),
      sameText: true,
    },
  ]
  const chosen = Object.entries(writings).filter((_, at) => nth === 0 || at % 2 === nth % 2)
  const written = chosen.map(([name, write]) => ({
    name,
    files: rewritten(files, (text, path) => (isYaml(path) && isSingle(text) ? write(text) : text)),
  }))
  const others = Object.entries(otherWritings).map(([name, [path, write]]) => ({
    name,
    files: rewritten(files, (text, own) => (path.test(own) ? write(text) : text)),
  }))
  const json = Object.entries(jsonWritings).map(([name, write]) => ({
    name,
    files: Object.fromEntries(
      Object.entries(files).map(([path, text]) =>
        path.startsWith('renovate.json') ? [`${path}5`, write(text)] : [path, text],
      ),
    ),
  }))
  const anchored = findings.flatMap((finding) => {
    const text = files[finding.path ?? '']
    return text === undefined || !isYaml(finding.path) || !isSingle(text) ? [] : withAnchors(files, finding, text)
  })
  const all: readonly Variant[] = [...plain, ...written, ...others, ...json, ...anchored]
  const seen = new Set([JSON.stringify(files)])
  return all.filter((variant) => {
    const text = JSON.stringify(variant.files)
    return !seen.has(text) && seen.add(text)
  })
}

const isYaml = (path = ''): boolean => /\.ya?ml$/.test(path)
const isSingle = (text: string): boolean => !/\n---\r?\n/.test(text)
const isStructured = (path: string): boolean => /\.(?:ya?ml|json5?)$/.test(path)

function rewritten(files: Files, change: (text: string, path: string) => string): Files {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [path, change(text, path)]))
}

function commentOf(path: string): string | undefined {
  if (/\.json$|^Pipfile/.test(path)) return undefined
  if (/\.(?:ts|go|proto|json5)$/.test(path)) return '//'
  return path.endsWith('.sql') ? '--' : '#'
}

function below(text: string, comment: string | undefined): string {
  if (comment === undefined) return `\n${text}`
  const [first = '', ...more] = text.split('\n')
  return first.startsWith('#!') ? [first, `${comment} note`, '', ...more].join('\n') : `${comment} note\n\n${text}`
}

// Each way to write YAML: a change to the nodes, and how they are put down.
const writings: Readonly<Record<string, (text: string) => string>> = {
  'double quotes': (text) => put(text, quoted('QUOTE_DOUBLE')),
  'single quotes': (text) => put(text, quoted('QUOTE_SINGLE')),
  'lines as they are (|)': (text) => put(text, scripts('BLOCK_LITERAL')),
  'folded lines (>)': (text) => put(text, scripts('BLOCK_FOLDED')),
  'flow style': (text) =>
    put(
      text,
      flowing(() => true),
    ),
  'flow style, innermost': (text) =>
    put(
      text,
      flowing((node) => !deep(node)),
    ),
  'flow style over several lines': (text) =>
    put(
      text,
      commented,
      flowing(() => true),
    ),
  'as JSON': (text) =>
    put(
      text,
      quoted('QUOTE_DOUBLE'),
      flowing(() => true),
    ),
  'indented by 4': (text) => put(text, { indent: 4 }),
  'lists not indented': (text) => put(text, { indentSeq: false }),
  'comments and blank lines': (text) => put(text, commented),
  'comments behind': (text) => put(text, commentedBehind),
  'lines broken': (text) => put(text, { lineWidth: 20, minContentWidth: 0 }),
  'tabs behind colons': (text) => text.replaceAll(/^([ -]*[\w-]+): (?=\S)/gm, '$1:\t'),
  'blanks behind': (text) => text.replaceAll('\n', '  \n'),
  tagged: (text) => put(text, tagged),
  'a document mark': (text) => `---\n${text}...\n`,
  'no line end at the end': (text) => text.trimEnd(),
}

const jsonWritings: Readonly<Record<string, (text: string) => string>> = {
  JSON5: (text) =>
    put(
      text,
      quoted('QUOTE_SINGLE', false),
      flowing(() => true),
    ).replaceAll(/ ([}\]])/g, ', $1'),
  'JSON5 with comments': (text) =>
    `// note\n${put(
      text,
      quoted('QUOTE_DOUBLE'),
      flowing(() => true),
    ).replaceAll(': ', ' /* note */ : ')}`,
}

const table = /^\[([\w.]+)\]\n([\w-]+) = (.*)\n$/
const otherWritings: Readonly<Record<string, readonly [path: RegExp, write: (text: string) => string]>> = {
  'a dotted key': [/\.toml$/, (text) => text.replace(table, '$1.$2 = $3\n')],
  'an inline table': [/\.toml$/, (text) => text.replace(table, '$1 = { $2 = $3 }\n')],
  'a quoted key': [/\.toml$/, (text) => text.replace(table, '[$1]\n"$2" = $3 # note\n')],
  'a literal string': [/\.toml$/, (text) => text.replaceAll('"', "'")],
  'small letters': [/Dockerfile/, (text) => text.replaceAll(/^[A-Z]+ /gm, (word) => word.toLowerCase())],
  'continued lines': [/Dockerfile/, (text) => text.replaceAll(/^([A-Z]+) /gm, '$1 \\\n  # note\n  ')],
  'tabs for blanks': [/Dockerfile/, (text) => text.replaceAll(/^([A-Z]+) /gm, '$1\t')],
  'blanks for tabs': [/Caddyfile/, (text) => text.replaceAll('\t', '    ')],
  'comments behind words': [/Caddyfile/, (text) => text.replaceAll('\n', ' # note\n')],
  'comments behind statements': [/\.sql$/, (text) => text.replaceAll(';\n', '; -- note\n')],
  capitals: [
    /\.sql$/,
    (text) => text.replaceAll(/\b(?:create|table|grant|update|on|to|select)\b/g, (word) => word.toUpperCase()),
  ],
  'comments within': [/\.proto$/, (text) => text.replaceAll(/(?<=[({,]) ?(?=\w)/g, ' /* note */ ')],
  'comments behind lines': [/\.(?:sh|py|txt)$/, (text) => text.replaceAll(/(?<=[^\\])\n/g, ' # note\n')],
}

type Change = ((document: Document) => void) | ToStringOptions

function put(text: string, ...changes: readonly Change[]): string {
  const document = parseDocument(text)
  if (document.errors.length > 0) return text
  let how: ToStringOptions = { lineWidth: 0 }
  for (const change of changes) {
    if (typeof change === 'function') change(document)
    else how = { ...how, ...change }
  }
  return document.toString(how)
}

function quoted(type: 'QUOTE_DOUBLE' | 'QUOTE_SINGLE', keys = true): Change {
  return (document) => {
    visit(document, {
      Scalar(at, node) {
        if (typeof node.value !== 'string') return
        node.type = keys || at !== 'key' ? type : 'PLAIN'
      },
    })
  }
}

function scripts(type: 'BLOCK_LITERAL' | 'BLOCK_FOLDED'): Change {
  return (document) => {
    visit(document, {
      Pair(_, { key, value }) {
        if (isScalar(key) && /^(?:run|script|uses)$/.test(String(key.value)) && isScalar(value)) value.type = type
      },
    })
  }
}

function flowing(which: (node: Node) => boolean): Change {
  return (document) => {
    visit(document, {
      Collection(_, node) {
        if (which(node)) node.flow = true
      },
    })
  }
}

// Whether it holds something else than scalars.
function deep(node: Node): boolean {
  return isCollection(node) && node.items.some((item) => (isPair(item) ? isCollection(item.value) : isCollection(item)))
}

function commented(document: Document): void {
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key)) Object.assign(key, { commentBefore: ' note', spaceBefore: true })
    },
  })
}

function commentedBehind(document: Document): void {
  visit(document, {
    Scalar(at, node) {
      if (at !== 'key' && !node.type?.startsWith('BLOCK')) node.comment = ' note'
    },
  })
}

function tagged(document: Document): void {
  visit(document, {
    Scalar(at, node) {
      if (at !== 'key' && typeof node.value === 'string') node.tag = 'tag:yaml.org,2002:str'
    },
  })
}

type Step = string | number
interface Trail {
  readonly steps: readonly Step[]
  /** The key of the last step, not what stands behind it. */
  readonly key: boolean
}

/** The nodes that begin where a finding stands; else the scalar around it, and what it says from there on. */
interface Spot {
  readonly trails: readonly Trail[]
  readonly inside?: string
}

/** Whether a finding stands at the same node of the variant as it did before. */
export function moved(before: Finding, after: Finding, files: Files, variant: Variant): boolean {
  const path = before.path ?? ''
  if (before.line === undefined) return after.line === undefined
  // What a file as a whole lacks stands at its beginning.
  if (before.line === 1 && before.column === 1 && after.line === 1 && after.column === 1) return true
  const here = spotOf(files, path, before)
  const there = spotOf(variant.files, after.path ?? '', after)
  if (typeof here === 'string' || typeof there === 'string') return here === there
  const same = here.trails.some((trail) => there.trails.some((other) => alike(trail, other)))
  // Where escapes hide the place inside a text, the text as a whole is it.
  return same && (here.inside === there.inside || (here.inside !== undefined && there.inside === undefined))
}

function spotOf(files: Files, path: string, { line = 1, column = 1 }: Finding): Spot | string {
  const text = (files[path] ?? '').replace(/^\uFEFF/, '')
  const rows = text.split('\n')
  const row = rows[line - 1] ?? ''
  if (!isStructured(path) || !isSingle(text))
    return /^[\w${}.@/:=-]*/.exec(row.slice(column - 1).replace(/^["']/, ''))?.[0]?.toLowerCase() ?? ''
  const offset = rows.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1
  const plain = text.replace(/^\/\/.*/, (comment) => ' '.repeat(comment.length)).replaceAll('/* note */', '          ')
  const trails: Trail[] = []
  const around: Trail[] = []
  for (const [trail, node] of nodesOf(plain)) {
    const [start = -1, end = -1] = node.range ?? []
    if (start === offset) trails.push(trail)
    else if (isScalar(node) && start < offset && offset < end) {
      // The first letter behind a quote or the head of a block is the beginning of the text.
      const first = /^(?:['"]|[|>]\S*)?\s*$/.test(text.slice(start, offset))
      if (first) trails.push(trail)
      else around.push(trail)
    }
  }
  if (trails.length > 0) return { trails }
  return { trails: around, inside: /^[\w${}.@/:=-]*/.exec(text.slice(offset))?.[0] ?? '' }
}

const documents = new Map<string, readonly (readonly [Trail, Node])[]>()

function nodesOf(text: string): readonly (readonly [Trail, Node])[] {
  const nodes = documents.get(text) ?? [...trailsOf(parseDocument(text))]
  documents.set(text, nodes)
  return nodes
}

function* trailsOf(document: Document): Generator<readonly [Trail, Node]> {
  const waiting: { node: unknown; steps: readonly Step[] }[] = [{ node: document.contents, steps: [] }]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { steps } = next
    const node = isAlias(next.node) ? next.node.resolve(document) : next.node
    if (isMap(node) || isSeq(node) || isScalar(node)) yield [{ steps, key: false }, node]
    if (isSeq(node)) for (const [at, item] of node.items.entries()) waiting.push({ node: item, steps: [...steps, at] })
    if (!isMap(node)) continue
    for (const { key, value } of node.items as readonly Pair[]) {
      if (!isScalar(key)) continue
      if (key.value === '<<') waiting.push({ node: value, steps })
      else {
        const own = [...steps, String(key.value)]
        yield [{ steps: own, key: true }, key]
        waiting.push({ node: value, steps: own })
      }
    }
  }
}

function alike(a: Trail, b: Trail): boolean {
  return a.key === b.key && a.steps.join('\0') === b.steps.join('\0')
}

const copies = new Set(['jobs', 'services', 'steps', 'updates', 'containers'])

// The offending node behind an anchor, in places that the tools accept: an item used twice; a value that something before it has.
function withAnchors(files: Files, finding: Finding, text: string): readonly Variant[] {
  const path = finding.path ?? ''
  const spot = spotOf(files, path, finding)
  if (typeof spot === 'string') return []
  const changed = (name: string, change: (document: Document) => boolean, copied = false): readonly Variant[] => {
    const document = parseDocument(text)
    if (!change(document)) return []
    const written = document.toString({ lineWidth: 0 })
    return [{ name, files: { ...files, [path]: written }, copied }]
  }
  return spot.trails.flatMap(({ steps }) => [
    ...steps.flatMap((step, at) =>
      copies.has(String(step)) && at + 1 < steps.length
        ? changed(`anchored, ${step} twice`, (document) => copy(document, steps.slice(0, at + 2)), true)
        : [],
    ),
    ...steps.flatMap((_, at) => {
      const own = steps.slice(0, at + 1)
      return changed(`anchored, ${own.join('.')} before`, (document) => hoist(document, path, own))
    }),
    ...steps.flatMap((step, at) =>
      path.startsWith('compose') && at > 0
        ? changed(`merged, ${step}`, (document) => merge(document, steps.slice(0, at + 1)))
        : [],
    ),
  ])
}

function copy(document: Document, steps: readonly Step[]): boolean {
  const node = document.getIn(steps, true) as Node
  const parent = document.getIn(steps.slice(0, -1), true)
  if (!isMap(node)) return false
  node.anchor = 'it'
  const alias = document.createAlias(node, 'it')
  if (isSeq(parent)) parent.add(alias)
  else if (isMap(parent)) parent.set('again', alias)
  return true
}

function hoist(document: Document, path: string, steps: readonly Step[]): boolean {
  const node = document.getIn(steps, true) as Node | undefined
  const [first] = steps
  const root = document.contents
  if (node === undefined || !isMap(root) || root.has('env') || first === 'on') return false
  const workflow = path.startsWith('.github/workflows/')
  if (!workflow && !path.startsWith('compose')) return false
  if (isCollection(node) && (workflow ? !isMap(node) || deep(node) || steps.at(-1) !== 'with' : steps.length < 2))
    return false
  if (isAlias(node)) return false
  node.anchor = 'it'
  document.setIn(steps, document.createAlias(node, 'it'))
  const pair = workflow
    ? document.createPair('env', document.createNode({ HOISTED: null }))
    : document.createPair('x-hoisted', null)
  if (workflow && isMap(pair.value) && !isMap(node)) pair.value.set('HOISTED', node)
  else pair.value = node as never
  root.items.unshift(pair)
  return true
}

function merge(document: Document, steps: readonly Step[]): boolean {
  const node = document.getIn(steps, true) as Node | undefined
  const root = document.contents
  if (!isMap(node) || !isMap(root)) return false
  node.anchor = 'it'
  const merged = new YAMLMap()
  merged.set('<<', document.createAlias(node, 'it'))
  document.setIn(steps, merged)
  const pair = document.createPair('x-hoisted', null)
  pair.value = node as never
  root.items.unshift(pair)
  return true
}
