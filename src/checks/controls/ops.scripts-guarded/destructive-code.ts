import { callsOf, namePath, type Call } from '../../collect/sources/calls.ts'
import { readShell } from '../../collect/shell/script.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import { destroysRows, destructionOf, type Destruction } from './destructive-shell.ts'
import { isDisposable } from './disposable.ts'

const removes =
  /^(?:(?:\w+\.)*(?:fs|fsp|promises|fsPromises|fse)\.)?(?:rm|rmSync|rmdir|rmdirSync)$|^(?:rimraf|rimraf\.sync|del|fse?\.removeSync|fse?\.remove)$|^shutil\.rmtree$/
const shells =
  /^(?:(?:child_process|cp)\.)?exec(?:Sync)?$|^os\.(?:system|popen)$|^subprocess\.(?:run|call|check_call|check_output|Popen|getoutput)$|^execaCommand(?:Sync)?$/
const programs =
  /^(?:(?:child_process|cp)\.)?(?:spawn|execFile)(?:Sync)?$|^execa(?:Sync)?$|^subprocess\.(?:run|call|check_call|check_output|Popen)$/
const made =
  /mkdtemp|tmpdir\(|tempfile|gettempdir|TemporaryDirectory|__dirname|__file__|import\.meta|process\.cwd\(\)|\bcwd\(\)|['"`/](?:dist|build|out|coverage|node_modules|\.?cache|tmp|temp|generated|gen)\b/

/** Calls of a script in TypeScript, JavaScript or Python that destroy what no build and no test made. */
export function destructiveCalls(
  source: Source,
): readonly { readonly node: SyntaxNode; readonly destruction: Destruction }[] {
  return callsOf(source).flatMap((call) => {
    const destruction = destructionIn(source, call)
    return destruction === undefined ? [] : [{ node: call.node, destruction }]
  })
}

/** Texts in which such a call could be found. */
export const destructiveTrigger =
  /\brm(?:dir)?(?:Sync)?\(|rimraf|rmtree|\bdel\(|removeSync|\brm -|['"`]rm['"`]|DROP |TRUNCATE |DELETE FROM|drop table|truncate |delete from|kubectl|terraform|flushall|FLUSHALL|s3 rm|volume|dropdb/

function destructionIn(source: Source, call: Call): Destruction | undefined {
  const [first, second] = call.args
  if (first === undefined) return undefined
  if (removes.test(call.path)) {
    const recursive =
      !/rm(?:dir)?(?:Sync)?$/.test(call.path) ||
      /recursive\s*:\s*true/.test(second === undefined ? '' : source.text(second))
    if (!recursive || isMadeHere(source, first)) return undefined
    return { what: 'a folder with all that is in it', outcome: 'FAIL', confidence: 'medium' }
  }
  if (shells.test(call.path)) {
    const text = shellText(source, first)
    if (text !== undefined) return inShell(text)
  }
  if (programs.test(call.path)) {
    const words =
      first.name === 'ArrayExpression' ? wordsOf(source, first) : [word(source, first), ...wordsOf(source, second)]
    return inShell(words.join(' '))
  }
  if (/^(?:query|execute|executescript|unsafe|raw|\$executeRawUnsafe|exec)$/.test(call.name)) {
    const sql = shellText(source, first)
    return sql !== undefined && destroysRows(sql) && !/test|tmp|temp/i.test(sql)
      ? { what: 'data of a database', outcome: 'FAIL', confidence: 'high' }
      : undefined
  }
  return undefined
}

function inShell(text: string): Destruction | undefined {
  const script = readShell(text)
  for (const command of script.commands) {
    const destruction = destructionOf(command, script)
    if (destruction !== undefined) return destruction
  }
  return undefined
}

// What is put into a template becomes a variable of the shell under its own name.
function shellText(source: Source, node: SyntaxNode): string | undefined {
  const literal = source.literal(node)
  if (literal !== undefined) return literal
  if (node.name !== 'TemplateString' && node.name !== 'FormatString') return undefined
  let text = source.text(node)
  for (const each of children(node).toReversed()) {
    if (each.name !== 'Interpolation' && each.name !== 'FormatReplacement') continue
    const name =
      (
        parts(each)
          .map((part) => namePath(source, part))
          .find((path) => path !== '') ?? 'VALUE'
      )
        .split('.')
        .at(-1) ?? 'VALUE'
    text = `${text.slice(0, each.from - node.from)}$${name} ${text.slice(each.to - node.from)}`
  }
  return text.replace(/^[a-z]{0,2}(?:"""|'''|["'`])/i, '').replace(/(?:"""|'''|["'`])$/, '')
}

function wordsOf(source: Source, node: SyntaxNode | undefined): readonly string[] {
  return node?.name === 'ArrayExpression' ? parts(node).map((each) => word(source, each)) : []
}

function word(source: Source, node: SyntaxNode): string {
  const literal = source.literal(node)
  if (literal !== undefined) return /\s/.test(literal) ? `'${literal.replaceAll("'", '')}'` : literal
  const path = namePath(source, node)
  return path === '' ? '$VALUE' : `$${path.split('.').at(-1) ?? 'VALUE'}`
}

// The folder comes from a literal, from a temporary folder or from the place of the script itself.
function isMadeHere(source: Source, node: SyntaxNode, depth = 0): boolean {
  const literal = source.literal(node)
  if (literal !== undefined) return isDisposable(literal, new Map())
  const text = source.text(node)
  if (made.test(text)) return true
  const path = namePath(source, node)
  const name = path.split('.').at(-1) ?? ''
  if (path === '') {
    // `join(dir, 'x')`: as its first part is.
    const first = node.name === 'CallExpression' ? parts(node.getChild('ArgList'))[0] : undefined
    return first !== undefined && depth < 3 && isMadeHere(source, first, depth + 1)
  }
  if (isDisposable(`$${name}`, new Map())) return true
  return depth < 3 && declared(source, name).some((value) => isMadeHere(source, value, depth + 1))
}

// What a name is set to anywhere in the file: the first few of them.
function declared(source: Source, name: string): readonly SyntaxNode[] {
  const all = declarations.get(source) ?? declarationsOf(source)
  declarations.set(source, all)
  return all.get(name) ?? []
}

const declarations = new WeakMap<Source, ReadonlyMap<string, readonly SyntaxNode[]>>()
const alikeMax = 8

function declarationsOf(source: Source): ReadonlyMap<string, readonly SyntaxNode[]> {
  const found = new Map<string, SyntaxNode[]>()
  for (const node of source.nodes('VariableDeclaration', 'AssignStatement')) {
    const inner = parts(node).filter(({ name }) => name !== 'TypeAnnotation' && name !== 'TypeDef')
    for (const [at, equals] of inner.entries()) {
      const target = inner[at - 1]
      const value = inner[at + 1]
      if (!/^(?:Equals|AssignOp)$/.test(equals.name) || target === undefined || value === undefined) continue
      const alike = found.get(source.text(target))
      if (alike === undefined) found.set(source.text(target), [value])
      else if (alike.length < alikeMax) alike.push(value)
    }
  }
  return found
}
