import { Readable } from 'node:stream'
import type * as Sdk from '@aws-sdk/client-kms'
import { Outbound } from '#core'
import { KeysUnavailable } from './errors.ts'
import { placeTexts, type SecretPlace } from './place.ts'
import { probePlace, proveRemote, type KeyProvider, type Wrapped } from './provider.ts'

export interface KmsSettings {
  /** Id, ARN or alias. */
  readonly keyId: string
  /** ARNs of keys that wrapped before, and unwrap still. */
  readonly previousKeyIds: readonly string[]
  readonly region: string
  /** In the place of the endpoint of the region. */
  readonly endpoint?: string | undefined
  readonly timeoutMs: number
  readonly monotonic: () => number
}

interface Loaded {
  readonly client: Sdk.KMSClient
  readonly sdk: Pick<typeof Sdk, 'EncryptCommand' | 'DecryptCommand'>
}

const newestForMs = 10_000
// What says that these bytes are not of that key and place; everything else may pass.
const notOurs = ['InvalidCiphertextException', 'IncorrectKeyException']

/**
 * Data keys wrapped by AWS KMS; the place is the encryption context. Credentials come from the chain of the SDK. Only the keys that
 * the settings name are asked: an envelope cannot choose another one.
 */
export class KmsProvider implements KeyProvider {
  readonly kind = 'kms'
  readonly #settings: KmsSettings
  readonly #outbound: Outbound
  #loaded: Promise<Loaded> | undefined
  #newest: { readonly keyId: string; readonly atMs: number } | undefined

  constructor(settings: KmsSettings) {
    this.#settings = settings
    const allowHttp = settings.endpoint?.startsWith('http:') === true
    this.#outbound = new Outbound({ allowPrivate: true, allowHttp, deadlineMs: settings.timeoutMs })
  }

  async wrap(dataKey: Uint8Array, place: SecretPlace): Promise<Wrapped> {
    const { client, sdk } = await this.#sdk()
    const input = { KeyId: this.#settings.keyId, Plaintext: dataKey, EncryptionContext: contextOf(place) }
    const reply = await this.#ask((abortSignal) => client.send(new sdk.EncryptCommand(input), { abortSignal }))
    if (reply.CiphertextBlob === undefined || reply.KeyId === undefined) throw strange()
    this.#newest = { keyId: reply.KeyId, atMs: this.#settings.monotonic() }
    return { keyId: reply.KeyId, bytes: reply.CiphertextBlob }
  }

  async unwrap({ keyId, bytes }: Wrapped, place: SecretPlace): Promise<Uint8Array | undefined> {
    if (!(await this.knows(keyId))) return undefined
    const { client, sdk } = await this.#sdk()
    const input = { KeyId: keyId, CiphertextBlob: bytes, EncryptionContext: contextOf(place) }
    try {
      const reply = await this.#ask((abortSignal) => client.send(new sdk.DecryptCommand(input), { abortSignal }))
      if (reply.KeyId !== keyId) throw strange()
      return reply.Plaintext
    } catch (error) {
      if (error instanceof KeysUnavailable && notOurs.includes(nameOf(error.cause))) return undefined
      throw error
    }
  }

  /** The ARN behind the setting, which may be an alias; learned by a wrap. */
  async newest(): Promise<string> {
    const known = this.#newest
    if (known !== undefined && this.#settings.monotonic() - known.atMs < newestForMs) return known.keyId
    return (await this.wrap(new Uint8Array(32), probePlace)).keyId
  }

  async knows(keyId: string): Promise<boolean> {
    const { previousKeyIds, keyId: current } = this.#settings
    if (keyId === current || keyId === this.#newest?.keyId || previousKeyIds.includes(keyId)) return true
    return (await this.newest()) === keyId
  }

  prove(): Promise<void> {
    return proveRemote(this)
  }

  async close(): Promise<void> {
    ;(await this.#loaded)?.client.destroy()
    await this.#outbound.close()
  }

  #sdk(): Promise<Loaded> {
    this.#loaded ??= this.#load()
    return this.#loaded
  }

  async #load(): Promise<Loaded> {
    const sdk = await import('@aws-sdk/client-kms')
    const { region, endpoint } = this.#settings
    const client = new sdk.KMSClient({
      region,
      ...(endpoint !== undefined && { endpoint }),
      maxAttempts: 2,
      requestHandler: { handle: (request: SignedRequest) => this.#handle(request) },
    })
    return { client, sdk }
  }

  /** The SDK signs and parses; the bytes go through the bounds of everything that calls out. */
  async #handle(request: SignedRequest): Promise<{ response: object }> {
    const { protocol, hostname, port, path, method, headers, body } = request
    const url = `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}`
    // As bytes alone: the SDK warns whoever treats its body as a text.
    const bytes =
      typeof body === 'string' ? Buffer.from(body) : body && Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const reply = await this.#outbound.send({ url, method, headers, ...(bytes !== undefined && { body: bytes }) })
    if (reply.end !== 'whole') throw new Error('KMS sent no whole reply')
    const flat = Object.entries(reply.headers).map(([name, value]) => [name, String(value)])
    return {
      response: { statusCode: reply.status, headers: Object.fromEntries(flat), body: Readable.from([reply.body]) },
    }
  }

  async #ask<Reply>(send: (signal: AbortSignal) => Promise<Reply>): Promise<Reply> {
    try {
      return await send(AbortSignal.timeout(this.#settings.timeoutMs))
    } catch (error) {
      // The message of the service may name people and roles; its code says enough.
      const todo = 'check secrets.kms, the rights of this process and the state of the key'
      throw new KeysUnavailable(`AWS KMS did not answer as it should (${nameOf(error)}): ${todo}`, error)
    }
  }
}

/** Of what the SDK hands to whoever sends it. */
interface SignedRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

function contextOf(place: SecretPlace): Record<string, string> {
  const [tenant = '', table = '', column = '', row = ''] = placeTexts(place)
  return { 'portcullis:purpose': 'data key 1', 'portcullis:tenant': tenant, table, column, row }
}

function strange(): KeysUnavailable {
  return new KeysUnavailable('AWS KMS sent a reply that is none of its API: check secrets.kms.endpoint')
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown fault'
}
