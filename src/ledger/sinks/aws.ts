import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { Readable } from 'node:stream'
import { SecretFile, type Outbound } from '#core'
import { NotAcknowledged } from './not-acknowledged.ts'

/** Files with the parts of a key; without them the chain of the AWS SDK finds credentials (variables, profile, role). */
export interface AwsKeyFiles {
  readonly accessKeyIdFile?: string | undefined
  readonly secretAccessKeyFile?: string | undefined
  readonly sessionTokenFile?: string | undefined
}

interface AwsKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Read at each use, so that a key is rotated without a restart; undefined where the chain of the SDK is to find one. */
export function awsKey(files: AwsKeyFiles): (() => Promise<AwsKey>) | undefined {
  const { accessKeyIdFile, secretAccessKeyFile, sessionTokenFile } = files
  if (accessKeyIdFile === undefined || secretAccessKeyFile === undefined) return undefined
  const [id, secret] = [new SecretFile(accessKeyIdFile), new SecretFile(secretAccessKeyFile)]
  const token = sessionTokenFile === undefined ? undefined : new SecretFile(sessionTokenFile)
  return async () => {
    const sessionToken = (await token?.read())?.reveal()
    return {
      accessKeyId: (await id.read()).reveal(),
      secretAccessKey: (await secret.read()).reveal(),
      ...(sessionToken !== undefined && { sessionToken }),
    }
  }
}

/** What the chain of the SDK says where it finds nothing, with what to do. */
export function withoutCredentials(error: unknown): NotAcknowledged | undefined {
  if (!(error instanceof Error) || error.name !== 'CredentialsProviderError') return undefined
  const todo = 'name accessKeyIdFile and secretAccessKeyFile, or give this machine variables, a profile or a role'
  return new NotAcknowledged(`there are no AWS credentials: ${todo}`, undefined, error)
}

/** A request as the AWS SDK makes it; its path is encoded, its query is not. */
interface AwsRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>> | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Carries the requests of the AWS SDK over the one way out, with its guard and its bounds. */
export function awsHandler(outbound: Outbound) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request: AwsRequest, { abortSignal }: { readonly abortSignal?: unknown } = {}) => {
      const { method, headers, body } = request
      const given = typeof body === 'string' || body instanceof Uint8Array ? { body } : {}
      const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined
      const reply = await outbound.send({ url: awsUrl(request), method, headers, ...given }, signal)
      if (reply.end === 'cut') throw new NotAcknowledged('its reply does not end: more than 1 MiB was not read', reply)
      if (reply.end === 'broken') throw new NotAcknowledged('the connection broke in its reply', reply)
      const heads = Object.entries(reply.headers).map(([name, value]) => [name, String(value)] as const)
      const response = {
        statusCode: reply.status,
        headers: Object.fromEntries(heads),
        body: Readable.from([reply.body]),
      }
      return { response }
    },
  }
}

export function awsUrl({ protocol, hostname, port, path, query }: AwsRequest): string {
  const pairs = Object.entries(query ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, value]) => [value].flat().map((one) => `${escaped(key)}=${escaped(one ?? '')}`))
  const authority = port === undefined ? hostname : `${hostname}:${port}`
  return `${protocol}//${authority}${path}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`
}

function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** SHA-256 in the form that the signer of AWS asks for. */
export class AwsSha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret))
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data))
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest())
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === 'string') return Buffer.from(data)
  return ArrayBuffer.isView(data) ? Buffer.from(data.buffer, data.byteOffset, data.byteLength) : Buffer.from(data)
}
