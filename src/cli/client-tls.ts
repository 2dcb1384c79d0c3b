import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { readBounded, readBoundedFile } from './bounded-read.ts'
import { usage } from './errors.ts'
import type { Io } from './io.ts'

export interface TlsOptions {
  readonly ca?: string
  readonly clientCert?: string
  readonly clientKey?: string
}

/** PEM: whom to believe, and what to prove oneself with. */
export interface ClientTls {
  readonly ca: string | undefined
  readonly cert: string | undefined
  /** Read where a connection is made, and kept nowhere else. */
  readonly keyFile: string | undefined
}

const pemBytesMax = 1024 * 1024

/** What was said of certificates: options go before variables. Undefined where nothing was. */
export function findTls(options: TlsOptions, io: Io, url: URL): ClientTls | undefined {
  const caFile = options.ca ?? io.env['PORTCULLIS_CA']
  const certFile = options.clientCert ?? io.env['PORTCULLIS_CLIENT_CERT']
  const keyFile = options.clientKey ?? io.env['PORTCULLIS_CLIENT_KEY']
  if (!caFile && !certFile && !keyFile) return undefined
  if (!certFile !== !keyFile) {
    throw usage('A client certificate and its key go together.', 'Give both --client-cert and --client-key.')
  }
  if (url.protocol !== 'https:') {
    // The authorities of an environment say nothing of a server without TLS.
    if (!certFile && !options.ca) return undefined
    const todo = 'Name the listener for agents with --url https://…, or leave the certificates out.'
    throw usage('Certificates are for https, and the URL is http.', todo)
  }
  return { ca: read(caFile), cert: read(certFile), keyFile: keyFile || undefined }
}

function read(file: string | undefined): string | undefined {
  if (!file) return undefined
  const text = readBoundedFile(file, pemBytesMax)
  if (text.includes('-----BEGIN CERTIFICATE-----')) return text
  throw usage(
    `The file ${file} holds no certificate in PEM.`,
    'Name a file that begins with -----BEGIN CERTIFICATE-----.',
  )
}

export interface TlsReply {
  readonly status: number
  readonly requestId: string | undefined
  /** Undefined where the reply was larger than the bound. */
  readonly text: string | undefined
}

interface Posted {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signal: AbortSignal
  readonly bytesMax: number
}

/** A POST with certificates of its own, which `fetch` does not take. Redirects are not followed. */
export async function postWithTls(url: string, tls: ClientTls, posted: Posted): Promise<TlsReply> {
  const response = await askWithTls(url, tls, posted)
  const requestId = response.headers['x-request-id']?.toString()
  return { status: response.statusCode ?? 0, requestId, text: await readBounded(response, posted.bytesMax) }
}

/** As `postWithTls`, with what is answered yet to be read. */
export function askWithTls(url: string, tls: ClientTls, posted: Omit<Posted, 'bytesMax'>): Promise<IncomingMessage> {
  const { headers, body, signal } = posted
  const key = tls.keyFile === undefined ? undefined : readBoundedFile(tls.keyFile, pemBytesMax)
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = { ...headers, 'content-length': Buffer.byteLength(body) }
  const asked = request(url, { method: 'POST', headers: sent, signal, agent: false, ca: tls.ca, cert: tls.cert, key })
  // A deadline that passed is the reason, not the abort that it made.
  asked.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error))
  asked.on('response', resolve)
  asked.end(body)
  return promise
}
