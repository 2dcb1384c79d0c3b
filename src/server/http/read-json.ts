import { fromJson, type JsonValue, type Message } from '@bufbuild/protobuf'
import type { FastifyRequest } from 'fastify'
import type { Method } from '@portcullis/contract'
import { isRefusal, refuse, type Refusal } from '#core'
import { maskText } from '#ledger'
import type { Admission } from '../admissions.ts'
import { boundsOf, countJson, TooMany } from '../message-counts.ts'
import type { Pipeline } from '../pipeline.ts'
import { expandEnumNames } from './enum-names.ts'

/** The message in a JSON body, once the signature of the request is looked at. A refusal has been recorded. */
export async function readJson(
  request: FastifyRequest,
  admission: Admission,
  method: Method,
  pipeline: Pipeline,
  named?: Readonly<Record<string, string>>,
): Promise<{ readonly admission: Admission; readonly message: Message } | Refusal> {
  const body = bodyOf(request)
  const checked = await pipeline.checkBody(admission, body)
  if (isRefusal(checked)) return checked
  try {
    return { admission: checked, message: decodeJson(method, body, named) }
  } catch (error) {
    if (error instanceof TooMany) return pipeline.reject(checked, error.refusal)
    const said = (error instanceof Error ? error.message : String(error)).slice(0, 200).toWellFormed()
    // What the decoder says names fields of the request and nothing of ours. The ledger keeps it without the quoted values,
    // which may be secrets that stand in the wrong place.
    const refusal = refuse('input.malformed', `json: ${said.replace(/".*/s, '…')}`, { detail: maskText(said) })
    return pipeline.reject(checked, refusal)
  }
}

/** The body in the bytes that were sent. */
export function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

function decodeJson(method: Method, body: Buffer, named: Readonly<Record<string, string>> = {}): Message {
  countJson(body, boundsOf(method.input))
  const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  // The path may say all that there is to say.
  const json: unknown = JSON.parse(text === '' && Object.keys(named).length > 0 ? '{}' : text)
  const message = fromJson(method.input, expandEnumNames(method.input, json) as JsonValue)
  for (const [name, value] of Object.entries(named)) {
    const given: unknown = Reflect.get(message, name)
    if (given !== '' && given !== value) throw new Error(`${name} is another one than in the path`)
    Reflect.set(message, name, value)
  }
  return message
}
