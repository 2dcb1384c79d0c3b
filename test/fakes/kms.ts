import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { HttpTarget, reply, type Answer, type Received } from './http-target.ts'

interface Body {
  readonly KeyId?: string
  readonly Plaintext?: string
  readonly CiphertextBlob?: string
  readonly EncryptionContext?: Readonly<Record<string, string>>
}

const arn = (id: string): string => `arn:aws:kms:eu-central-1:111122223333:key/${id}`

/** Encrypt and Decrypt of AWS KMS with encryption context and an alias; signatures are looked for, and not checked. */
export class FakeKms {
  readonly target: HttpTarget
  readonly #keys = new Map<string, Buffer>()
  /** Behind `alias/portcullis`. */
  current = ''

  private constructor(target: HttpTarget) {
    this.target = target
    target.always = (response, request) => this.#answer(request)(response, request)
    this.addKey('one')
  }

  static async start(): Promise<FakeKms> {
    return new FakeKms(await HttpTarget.start())
  }

  /** Makes a key and lets the alias name it. */
  addKey(id: string): string {
    this.#keys.set(arn(id), randomBytes(32))
    this.current = arn(id)
    return this.current
  }

  #answer({ headers, body }: Received): Answer {
    if (!String(headers.authorization).startsWith('AWS4-HMAC-SHA256 Credential='))
      return fail('MissingAuthenticationTokenException')
    const given = JSON.parse(body.toString('utf8')) as Body
    const keyId = given.KeyId === 'alias/portcullis' ? this.current : (given.KeyId ?? '')
    const key = this.#keys.get(keyId)
    if (key === undefined) return fail('NotFoundException')
    const bound = Buffer.from(
      JSON.stringify(
        Object.entries(given.EncryptionContext ?? {})
          .map(String)
          .toSorted((a, b) => a.localeCompare(b)),
      ),
    )
    const verb = String(headers['x-amz-target']).split('.')[1]
    return verb === 'Encrypt' ? encrypt(keyId, key, given, bound) : decrypt(keyId, key, given, bound)
  }
}

function encrypt(keyId: string, key: Buffer, { Plaintext = '' }: Body, bound: Buffer): Answer {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(bound)
  const bytes = [iv, cipher.update(Buffer.from(Plaintext, 'base64')), cipher.final(), cipher.getAuthTag()]
  return ok({ KeyId: keyId, CiphertextBlob: Buffer.concat(bytes).toString('base64') })
}

function decrypt(keyId: string, key: Buffer, { CiphertextBlob = '' }: Body, bound: Buffer): Answer {
  const bytes = Buffer.from(CiphertextBlob, 'base64')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(bound)
    decipher.setAuthTag(bytes.subarray(-16))
    const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
    return ok({ KeyId: keyId, Plaintext: plain.toString('base64') })
  } catch {
    return fail('InvalidCiphertextException')
  }
}

function ok(body: object): Answer {
  return reply(200, body, { 'content-type': 'application/x-amz-json-1.1' })
}

function fail(type: string): Answer {
  return reply(400, { __type: type, message: 'no' }, { 'content-type': 'application/x-amz-json-1.1' })
}
