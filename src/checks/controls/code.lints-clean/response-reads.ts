import { callsOf } from '../../collect/sources/calls.ts'
import type { Source } from '../../collect/sources/source.ts'
import { finding, isForwarder, type Lint } from './lint.ts'

const name = 'bounded-response-reads'
const body = /^\w*(?:[rR]esp|[rR]esponse|[rR]es|[rR]sp|[rR]eply)\w*\.Body$/

/** Replies of others read to an end that they choose. */
export const responseReads: Lint = {
  name,
  triggers: {
    go: /(?:ReadAll|Discard)[^\n]{0,80}\.Body/,
    python: /urlopen\(/,
  },
  inspect(source) {
    return callsOf(source).flatMap(({ node, path, name: called, target, args }) => {
      if (source.language === 'python') {
        const opened =
          called === 'read' && args.length === 0 && target !== undefined && /\burlopen\($/.test(start(source, target))
        return opened ? [finding(name, source, node, 'WARN', 'low', detail)] : []
      }
      const all = /^(?:io|ioutil)\.ReadAll$/.test(path) && body.test(textOf(source, args[0]))
      const drained =
        path === 'io.Copy' &&
        /^(?:io|ioutil)\.Discard$/.test(textOf(source, args[0])) &&
        body.test(textOf(source, args[1]))
      if (!all && !drained) return []
      const forwarder = isForwarder(source)
      return [finding(name, source, node, forwarder ? 'FAIL' : 'WARN', forwarder ? 'medium' : 'low', detail)]
    })
  },
}

const detail =
  'A reply is read to its end, however long the other side makes it: put a limit around it (io.LimitReader, read(n)).'

function textOf(source: Source, node: { readonly from: number; readonly to: number } | undefined): string {
  return node === undefined ? '' : source.text(node)
}

function start(source: Source, node: { readonly from: number; readonly to: number }): string {
  const text = source.text(node)
  return text.slice(0, text.indexOf('(') + 1)
}
