import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { Outbound } from '#core'
import { KeysUnavailable } from './errors.ts'
import { joinTexts, placeTexts, type SecretPlace } from './place.ts'
import { probePlace, proveRemote, type KeyProvider, type Wrapped } from './provider.ts'

export interface VaultSettings {
  /** `https://vault.internal:8200` */
  readonly address: string
  readonly mount: string
  readonly keyName: string
  readonly namespace?: string | undefined
  readonly login: VaultLogin
  /** Certificates of authorities in PEM, in the place of those of Node. */
  readonly ca?: string | undefined
  readonly timeoutMs: number
  readonly monotonic: () => number
}

/** The files are read again whenever a token is needed: an agent beside the server may renew them. */
export type VaultLogin =
  | { readonly kind: 'token'; readonly tokenFile: string }
  | { readonly kind: 'approle'; readonly mount: string; readonly roleId: string; readonly secretIdFile: string }

const encryptSchema = z.object({
  data: z.object({ ciphertext: z.string().regex(/^vault:v\d{1,9}:[0-9A-Za-z+/]+={0,2}$/) }),
})
const decryptSchema = z.object({ data: z.object({ plaintext: z.string() }) })
const loginSchema = z.object({ auth: z.object({ client_token: z.string().min(1), lease_duration: z.number() }) })
const newestForMs = 10_000

/**
 * Data keys wrapped by the transit engine of HashiCorp Vault or OpenBao: the master key never leaves it. The place goes along as
 * `associated_data`, so that Vault refuses a data key that was moved.
 */
export class VaultProvider implements KeyProvider {
  readonly kind = 'vault'
  readonly #settings: VaultSettings
  readonly #outbound: Outbound
  #token: { readonly text: string; readonly untilMs: number } | undefined
  #newest: { readonly keyId: string; readonly atMs: number } | undefined

  constructor(settings: VaultSettings) {
    const { address, ca, timeoutMs } = settings
    this.#settings = settings
    // Vault stands in a network of one's own; whether http will do is a rule of the settings.
    const allowHttp = address.startsWith('http:')
    this.#outbound = new Outbound({ allowPrivate: true, allowHttp, deadlineMs: timeoutMs, ca })
  }

  async wrap(dataKey: Uint8Array, place: SecretPlace): Promise<Wrapped> {
    const plaintext = Buffer.from(dataKey).toString('base64')
    const reply = await this.#transit('encrypt', { plaintext, associated_data: this.#bound(place) })
    const [, version = '', text = ''] = parse(encryptSchema, reply).data.ciphertext.split(':')
    // The bytes and not their text: of base64 several texts mean the same, and every change of an envelope must show.
    const wrapped = { keyId: this.#keyId(version), bytes: Buffer.from(text, 'base64') }
    this.#newest = { keyId: wrapped.keyId, atMs: this.#settings.monotonic() }
    return wrapped
  }

  async unwrap({ keyId, bytes }: Wrapped, place: SecretPlace): Promise<Uint8Array | undefined> {
    const version = this.#versionOf(keyId)
    if (version === undefined) return undefined
    const ciphertext = `vault:${version}:${Buffer.from(bytes).toString('base64')}`
    const reply = await this.#transit('decrypt', { ciphertext, associated_data: this.#bound(place) }, [400])
    if (reply.status === 400) return undefined
    return Buffer.from(parse(decryptSchema, reply).data.plaintext, 'base64')
  }

  /** Learned by a wrap, which needs no right but the one to encrypt. */
  async newest(): Promise<string> {
    const known = this.#newest
    if (known !== undefined && this.#settings.monotonic() - known.atMs < newestForMs) return known.keyId
    return (await this.wrap(new Uint8Array(32), probePlace)).keyId
  }

  knows(keyId: string): Promise<boolean> {
    return Promise.resolve(this.#versionOf(keyId) !== undefined)
  }

  prove(): Promise<void> {
    return proveRemote(this)
  }

  /** Makes a new version of the key; needs the right to update `keys/<name>/rotate`. */
  async rotate(): Promise<void> {
    const { mount, keyName } = this.#settings
    await this.#authorized(`/v1/${mount}/keys/${keyName}/rotate`, {}, [])
    this.#newest = undefined
  }

  close(): Promise<void> {
    return this.#outbound.close()
  }

  #keyId(version: string): string {
    return `vault:${this.#settings.mount}/${this.#settings.keyName}:${version}`
  }

  #versionOf(keyId: string): string | undefined {
    const prefix = this.#keyId('')
    const version = keyId.slice(prefix.length)
    return keyId.startsWith(prefix) && /^v[1-9]\d{0,8}$/.test(version) ? version : undefined
  }

  #bound(place: SecretPlace): string {
    return joinTexts(['portcullis data key 1', this.#keyId(''), ...placeTexts(place)]).toString('base64')
  }

  #transit(verb: 'encrypt' | 'decrypt', body: object, alsoGood: readonly number[] = []): Promise<Reply> {
    const { mount, keyName } = this.#settings
    return this.#authorized(`/v1/${mount}/${verb}/${keyName}`, body, alsoGood)
  }

  async #authorized(path: string, body: object, alsoGood: readonly number[]): Promise<Reply> {
    const first = await this.#post(path, body, await this.#tokenFor(false))
    // A token may have been revoked or have run out early: one fresh one is tried.
    const reply = first.status === 403 ? await this.#post(path, body, await this.#tokenFor(true)) : first
    if (reply.status === 200 || reply.status === 204 || alsoGood.includes(reply.status)) return reply
    const todo = todoFor(reply.status)
    throw new KeysUnavailable(`Vault answered ${reply.status} to ${path}${todo === undefined ? '' : `: ${todo}`}`)
  }

  async #tokenFor(fresh: boolean): Promise<string> {
    const { login, monotonic } = this.#settings
    if (login.kind === 'token') return readSecret(login.tokenFile)
    if (!fresh && this.#token !== undefined && monotonic() < this.#token.untilMs) return this.#token.text
    const body = { role_id: login.roleId, secret_id: readSecret(login.secretIdFile) }
    const reply = await this.#post(`/v1/auth/${login.mount}/login`, body, undefined)
    if (reply.status !== 200)
      throw new KeysUnavailable(
        `Vault answered ${reply.status} to the login of the AppRole: check secrets.vault.roleId and secretIdFile`,
      )
    const { client_token: text, lease_duration: seconds } = parse(loginSchema, reply).auth
    // Renewed by another login, a little early; 0 means that it never ends.
    this.#token = { text, untilMs: monotonic() + (seconds === 0 ? 3_600_000 : seconds * 900) }
    return text
  }

  async #post(path: string, body: object, token: string | undefined): Promise<Reply> {
    const { address, namespace } = this.#settings
    try {
      const reply = await this.#outbound.send({
        url: `${address.replace(/\/+$/, '')}${path}`,
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          'x-vault-request': 'true',
          ...(token !== undefined && { 'x-vault-token': token }),
          ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
        },
      })
      if (reply.end === 'whole') return { status: reply.status, body: reply.body }
      throw new KeysUnavailable('Vault sent no whole reply')
    } catch (error) {
      if (error instanceof KeysUnavailable) throw error
      const why = error instanceof Error ? error.message : String(error)
      throw new KeysUnavailable(`Vault cannot be reached: ${why}; check secrets.vault.address and its network`, error)
    }
  }
}

interface Reply {
  readonly status: number
  readonly body: Buffer
}

function todoFor(status: number): string | undefined {
  if (status === 403) return 'the token may not do this; give its policy update on that path'
  if (status === 404) return 'there is no such engine or key; check secrets.vault.mount and keyName'
  if (status === 400) return 'the key may be missing; make it with `vault write -f <mount>/keys/<name>`'
  return status === 503 ? 'it is sealed or starting; unseal it' : undefined
}

function parse<Shape>(schema: z.ZodType<Shape>, { body }: Reply): Shape {
  try {
    return schema.parse(JSON.parse(body.toString('utf8')))
  } catch {
    // Neither the text nor what the parser says of it: both may hold a key.
    throw new KeysUnavailable('Vault sent a reply that is none of its API; check secrets.vault.address')
  }
}

function readSecret(file: string): string {
  try {
    const text = readFileSync(file, 'utf8').trim()
    if (/^[\x21-\x7e]{1,4096}$/.test(text)) return text
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown fault'
    throw new KeysUnavailable(
      `the secret file for Vault cannot be read (${code}): restore it or its permissions`,
      error,
    )
  }
  throw new KeysUnavailable('the secret file for Vault holds no token: write one word into it')
}
