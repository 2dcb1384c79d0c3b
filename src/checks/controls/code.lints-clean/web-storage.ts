import { callsOf, memberName, namePath } from '../../collect/sources/calls.ts'
import { parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { finding, type Lint } from './lint.ts'

const name = 'web-storage'
const storage = /^(?:(?:window|globalThis|self|this|document\.defaultView)\.)?(?:local|session)Storage$/
// Words that make something else of a token, and what is no credential.
const harmless =
  /CSRF|XSRF|COUNT|TOKENS|TOKENIZER|EXPIR|DESIGN|PUSH|FCM|DEVICETOKEN|SHOW|HIDE|HAS|IS(?:TOKEN|AUTH)|TYPE$|USAGE|LIMIT|CONTRACT|TOKENLIST|SYMBOL|CRYPTO|CHAIN/
const surely =
  /(?:ACCESS|REFRESH|AUTH|ID|BEARER|SESSION|USER|ADMIN|API|LOGIN|OAUTH2?)TOKEN|JWT|PASSWORD|SECRET|APIKEY|PRIVATEKEY|CREDENTIAL/

/** Tokens in localStorage or sessionStorage: every script of the page reads them. */
export const webStorage: Lint = {
  name,
  triggers: { javascript: /(?:local|session)Storage/ },
  inspect(source) {
    const found: Evidence[] = []
    for (const { node, path, target, args, name: method } of callsOf(source)) {
      if (method !== 'setItem' || target === undefined || !storage.test(namePath(source, target) || path)) continue
      const [key, value] = args
      if (key !== undefined && value !== undefined) found.push(...stored(source, node, keyName(source, key), value))
    }
    for (const node of source.nodes('AssignmentExpression')) {
      const [left, , value] = parts(node)
      if (left?.name !== 'MemberExpression' || left.firstChild === null || value === undefined) continue
      if (storage.test(namePath(source, left.firstChild)))
        found.push(...stored(source, node, memberName(source, left) || source.text(left), value))
    }
    return found
  },
}

function stored(source: Source, node: SyntaxNode, key: string, value: SyntaxNode): readonly Evidence[] {
  // An empty value takes the token away.
  if (source.literal(value) === '' || ['null', 'undefined'].includes(source.text(value))) return []
  const flatKey = flat(key)
  const flatValue = flat(lastName(source, value))
  if (harmless.test(flatKey) || harmless.test(flatValue)) return []
  const sure = surely.test(flatKey) || surely.test(flatValue)
  if (!sure && !/TOKEN(?:KEY|NAME)?$/.test(flatKey) && !flatValue.endsWith('TOKEN')) return []
  return [
    finding(
      name,
      source,
      node,
      'FAIL',
      sure ? 'high' : 'medium',
      'A token is kept in web storage, where every script of the page reads it: use a cookie that is HttpOnly, or memory.',
    ),
  ]
}

function keyName(source: Source, key: SyntaxNode): string {
  return source.literal(key) ?? lastName(source, key)
}

function lastName(source: Source, node: SyntaxNode): string {
  const path = namePath(source, node)
  return path === '' ? memberName(source, node) : path.slice(path.lastIndexOf('.') + 1)
}

function flat(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]/g, '').toUpperCase()
}
