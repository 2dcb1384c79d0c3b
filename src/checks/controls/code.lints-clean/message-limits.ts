import { callsOf } from '../../collect/sources/calls.ts'
import { children, parts, type Source, type SyntaxNode } from '../../collect/sources/source.ts'
import type { Evidence } from '../../evidence.ts'
import { absurdBytes, constantOf, finding, type Lint } from './lint.ts'

const name = 'message-limits'
const receives =
  /^(?:grpc\.max_receive_message_length|grpc\.max_message_length|maxReceiveMessageLength|readMaxBytes|maxPayload)$/
const goLimits =
  /^(?:grpc\.)?(?:MaxRecvMsgSize|MaxCallRecvMsgSize|MaxMsgSize)$|^connect\.WithReadMaxBytes$|\.SetReadLimit$/

/** A limit on received messages that is none: one message fills the memory. */
export const messageLimits: Lint = {
  name,
  triggers: {
    javascript: /grpc\.max_|maxReceiveMessageLength|readMaxBytes|maxPayload/,
    python: /grpc\.max_|max_size\s{0,4}=/,
    go: /Max(?:Call)?(?:Recv)?MsgSize|WithReadMaxBytes|SetReadLimit/,
  },
  inspect(source) {
    if (source.language === 'go')
      return callsOf(source).flatMap(({ path, name: called, args: [value] }) =>
        goLimits.test(path) || (called === 'SetReadLimit' && path !== '') ? limited(source, value) : [],
      )
    if (source.language === 'python') return [...inPython(source), ...websockets(source)]
    return source.nodes('Property').flatMap((node) => {
      const key = node.firstChild
      if (key === null) return []
      const text = source.literal(key) ?? source.text(key)
      return receives.test(text) ? limited(source, parts(node).at(-1)) : []
    })
  },
}

// `("grpc.max_receive_message_length", -1)` in a list of options, or the same in a dictionary.
function inPython(source: Source): readonly Evidence[] {
  const pairs = source.nodes('TupleExpression').map((node): readonly (SyntaxNode | undefined)[] => parts(node))
  const entries = source.nodes('DictionaryExpression').flatMap((node) => {
    const inner = children(node)
    return inner.flatMap((each, at) => (each.name === ':' ? [[inner[at - 1], inner[at + 1]]] : []))
  })
  return [...pairs, ...entries].flatMap(([key, value]) =>
    key !== undefined && receives.test(source.literal(key) ?? '') ? limited(source, value) : [],
  )
}

function websockets(source: Source): readonly Evidence[] {
  return callsOf(source).flatMap(({ path, keywords }) => {
    const value = keywords.get('max_size')
    const none = value !== undefined && source.text(value) === 'None'
    return none && /^websockets\.(?:serve|connect)$/.test(path)
      ? [finding(name, source, value, 'FAIL', 'high', says)]
      : []
  })
}

const says = 'The limit on received messages is none: one message can fill the memory. Name the size that is needed.'

function limited(source: Source, value: SyntaxNode | undefined): readonly Evidence[] {
  const bytes = constantOf(source, value)
  if (value === undefined || bytes === undefined) return []
  // With ws, 0 is no limit too.
  const none =
    bytes < 0 || bytes >= absurdBytes || (bytes === 0 && /maxPayload/.test(source.text(value.parent ?? value)))
  return none ? [finding(name, source, value.parent ?? value, 'FAIL', 'high', says)] : []
}
