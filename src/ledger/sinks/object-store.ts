import type { S3Client } from '@aws-sdk/client-s3'
import type { Outbound } from '#core'
import { awsHandler, awsKey, withoutCredentials, type AwsKeyFiles } from './aws.ts'
import { NotAcknowledged, said } from './not-acknowledged.ts'
import { sinkHttp, within, type SinkHttpSettings } from './sink-http.ts'

export interface ObjectStoreSettings extends SinkHttpSettings, AwsKeyFiles {
  readonly bucket: string
  readonly region: string
  /** Of another store with the interface of S3. */
  readonly endpoint?: string | undefined
  readonly forcePathStyle: boolean
  /** Object Lock: until when nobody, or nobody without the right to, may delete an object. */
  readonly lockMode?: 'governance' | 'compliance' | undefined
  readonly retainDays?: number | undefined
}

export interface Listed {
  /** In the order of their bytes. */
  readonly keys: readonly string[]
  readonly more: boolean
}

const dayMs = 24 * 60 * 60 * 1000

/** Objects in a bucket that are made once and never replaced. What fails is a {@link NotAcknowledged} that says what to do. */
export class ObjectStore {
  readonly #settings: ObjectStoreSettings
  readonly #outbound: Outbound
  #client: Promise<S3Client> | undefined

  constructor(settings: ObjectStoreSettings) {
    this.#settings = settings
    this.#outbound = sinkHttp(settings)
  }

  /** Makes an object; `there` where the key has one already, which then stays as it is. */
  async make(key: string, body: Uint8Array, type: string, signal: AbortSignal): Promise<'made' | 'there'> {
    const { bucket: Bucket, lockMode, retainDays = 0 } = this.#settings
    const { PutObjectCommand } = await sdk()
    const lock = lockMode !== undefined && {
      ObjectLockMode: lockMode === 'compliance' ? ('COMPLIANCE' as const) : ('GOVERNANCE' as const),
      ObjectLockRetainUntilDate: new Date(Date.now() + retainDays * dayMs),
    }
    const object = { Bucket, Key: key, Body: body, ContentType: type, IfNoneMatch: '*', ...lock }
    try {
      const put = new PutObjectCommand({ ...object, ChecksumAlgorithm: 'SHA256' })
      const { ETag } = await within((await this.#ready()).send(put, { abortSignal: signal }), signal)
      if (ETag !== undefined) return 'made'
    } catch (error) {
      if (statusOf(error) === 412) return 'there'
      throw failure(error)
    }
    throw new NotAcknowledged('it answered 200 without an ETag: is something else at its endpoint?')
  }

  async read(key: string, signal: AbortSignal): Promise<Buffer> {
    const { GetObjectCommand } = await sdk()
    try {
      const get = new GetObjectCommand({ Bucket: this.#settings.bucket, Key: key })
      const { Body } = await within((await this.#ready()).send(get, { abortSignal: signal }), signal)
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    } catch (error) {
      throw failure(error)
    }
  }

  /** Keys behind `after` that begin with `prefix` and have no slash behind it. */
  async list(prefix: string, after: string, max: number, signal: AbortSignal): Promise<Listed> {
    const { ListObjectsV2Command } = await sdk()
    const asked = { Bucket: this.#settings.bucket, Prefix: prefix, Delimiter: '/', StartAfter: after, MaxKeys: max }
    try {
      const reply = await within(
        (await this.#ready()).send(new ListObjectsV2Command(asked), { abortSignal: signal }),
        signal,
      )
      // A page that is no list must not read as an empty one.
      if (reply.Name === undefined && reply.KeyCount === undefined) {
        throw new NotAcknowledged('it answered 200 with no list: is something else at its endpoint?')
      }
      const keys = (reply.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key]))
      return { keys, more: reply.IsTruncated === true }
    } catch (error) {
      throw failure(error)
    }
  }

  async close(): Promise<void> {
    await this.#outbound.close()
  }

  #ready(): Promise<S3Client> {
    this.#client ??= this.#connect()
    return this.#client
  }

  async #connect(): Promise<S3Client> {
    const { region, endpoint, forcePathStyle } = this.#settings
    const credentials = awsKey(this.#settings)
    const client = new (await sdk()).S3Client({
      region,
      forcePathStyle,
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials && { credentials }),
      requestHandler: awsHandler(this.#outbound),
      // The forwarder has a ladder of its own.
      maxAttempts: 1,
    })
    return client
  }
}

/** Some 400 files: loaded by those who have such a sink. */
function sdk() {
  return import('@aws-sdk/client-s3')
}

/** The chain of the SDK, for what is signed without it. */
export async function chainCredentials(region: string) {
  const { S3Client } = await sdk()
  return new S3Client({ region }).config.credentials
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error)) return undefined
  const metadata: unknown = error.$metadata
  const status = typeof metadata === 'object' && metadata !== null ? Reflect.get(metadata, 'httpStatusCode') : undefined
  return typeof status === 'number' ? status : undefined
}

const todos: Readonly<Record<number, string>> = {
  301: 'set region to the one of the bucket',
  400: 'check region, and that the bucket has Object Lock where lockMode is set',
  403: 'check its credentials, and that they may put, get and list in this bucket',
  404: 'make the bucket, or check its name',
  409: 'another writer is at the same object; it is tried again',
  501: 'its store has no If-None-Match, without which objects could be replaced: use one that has',
}

function failure(error: unknown): Error {
  const known = error instanceof NotAcknowledged ? error : withoutCredentials(error)
  if (known !== undefined) return known
  const status = statusOf(error)
  if (!(error instanceof Error) || status === undefined) {
    return error instanceof Error ? error : new Error('the store failed', { cause: error })
  }
  const response: unknown = Reflect.get(error, '$response')
  const headers = typeof response === 'object' && response !== null ? Reflect.get(response, 'headers') : undefined
  const todo = todos[status] ?? 'it is tried again'
  return new NotAcknowledged(`it answered ${status} ${said(error.name)}: ${todo}`, { headers: headers ?? {} }, error)
}
