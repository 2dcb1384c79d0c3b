import * as z from 'zod'
import type { FieldMeta } from './fields.ts'
import { httpSinks } from './http-sink-sections.ts'
import { formed, sinkFile, sinkShape } from './sink-fields.ts'

const sinksMax = 16

const file = z.strictObject({ ...sinkShape('file'), dir: z.string().min(1) })

const tlsFiles = { caFile: sinkFile, certFile: sinkFile, keyFile: sinkFile }

const syslog = z.strictObject({
  ...sinkShape('syslog'),
  host: formed(/^[A-Za-z0-9.:-]{1,255}$/, 'This is not the name or address of a host.'),
  port: z.int().min(1).max(65_535).default(6514),
  /** The name that the certificate of the server is for, where it is not `host`. */
  serverName: z.string().min(1).optional(),
  acknowledge: z.enum(['closed', 'written']).default('closed'),
  ...tlsFiles,
})

const nats = z.strictObject({
  ...sinkShape('nats'),
  servers: z
    .array(z.string().check(z.refine(isNatsUrl, 'This is not a URL such as tls://nats.example.com:4222.')))
    .min(1)
    .max(16),
  stream: formed(/^[A-Za-z0-9_-]{1,64}$/, 'A stream is named with letters, digits, - and _.'),
  subject: formed(
    /^(?=.{1,128}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
    'A subject is words of letters, digits, - and _, joined by dots.',
  ).default('portcullis.ledger'),
  createStream: z.boolean().default(false),
  credsFile: sinkFile,
  tokenFile: sinkFile,
  ...tlsFiles,
})

/** Every kind of sink. What is made of one is in src/server/sinks/make-sink.ts. */
const sink = z.discriminatedUnion('kind', [file, syslog, nats, ...httpSinks])

export const sinks = z
  .array(z.preprocess(fromText, sink))
  .max(sinksMax)
  .default([])
  .meta({
    description:
      'Where copies of the ledger go: each has `kind`, `name` (the kind without one) and what [its kind](../sinks.md) needs. `file:DIR` is short for a file sink.',
    form: 'a list of sinks, each with kind, name and what its kind needs, or of texts such as file:/var/lib/ledger',
  } satisfies FieldMeta)

/** A variable can only hold texts; a folder is the one thing that a text says in full. */
function fromText(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('file:') ? { kind: 'file', dir: value.slice(5) } : value
}

function isNatsUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return (
    url !== undefined &&
    /^(nats|tls):$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.hostname !== ''
  )
}
