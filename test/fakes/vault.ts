import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { HttpTarget, reply, type Answer, type Received } from './http-target.ts'

interface Body {
  readonly plaintext?: string
  readonly ciphertext?: string
  readonly associated_data?: string
  readonly role_id?: string
  readonly secret_id?: string
}

/**
 * The part of Vault that is used: transit with `associated_data`, AppRole, tokens that end. Written after the API documentation of
 * Vault; nothing here has been compared with a real one.
 */
export class FakeVault {
  readonly target: HttpTarget
  readonly tokens = new Set(['s.root'])
  readonly #keys = [randomBytes(32)]
  logins = 0

  private constructor(target: HttpTarget) {
    this.target = target
    target.always = (response, request) => this.#answer(request)(response, request)
  }

  static async start(options?: Parameters<typeof HttpTarget.start>[1]): Promise<FakeVault> {
    return new FakeVault(await HttpTarget.start(reply(200), options))
  }

  #answer({ url, headers, body }: Received): Answer {
    const given = JSON.parse(body.toString('utf8')) as Body
    if (url === '/v1/auth/approle/login') return this.#login(given)
    if (!this.tokens.has(String(headers['x-vault-token']))) return errors(403, 'permission denied')
    if (url === '/v1/transit/encrypt/portcullis') return this.#encrypt(given)
    if (url === '/v1/transit/decrypt/portcullis') return this.#decrypt(given)
    if (url !== '/v1/transit/keys/portcullis/rotate') return errors(404)
    this.#keys.push(randomBytes(32))
    return (response) => void response.writeHead(204).end()
  }

  #login({ role_id: role, secret_id: secret }: Body): Answer {
    if (role !== 'role-1' || secret !== 'secret-1') return errors(400, 'invalid role or secret ID')
    this.logins += 1
    const token = `s.login-${this.logins}`
    this.tokens.add(token)
    return reply(200, { auth: { client_token: token, lease_duration: 3600, renewable: true } })
  }

  #encrypt({ plaintext = '', associated_data: bound = '' }: Body): Answer {
    const version = this.#keys.length
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', this.#keys[version - 1] ?? '', iv).setAAD(Buffer.from(bound, 'base64'))
    const bytes = [iv, cipher.update(Buffer.from(plaintext, 'base64')), cipher.final(), cipher.getAuthTag()]
    const ciphertext = `vault:v${version}:${Buffer.concat(bytes).toString('base64')}`
    return reply(200, { data: { ciphertext, key_version: version } })
  }

  #decrypt({ ciphertext = '', associated_data: bound = '' }: Body): Answer {
    const [, version = '', text = ''] = ciphertext.split(':')
    const key = this.#keys[Number(version.slice(1)) - 1]
    if (key === undefined) return errors(400, 'invalid ciphertext: version is too new')
    const bytes = Buffer.from(text, 'base64')
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
      decipher.setAAD(Buffer.from(bound, 'base64')).setAuthTag(bytes.subarray(-16))
      const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
      return reply(200, { data: { plaintext: plain.toString('base64') } })
    } catch {
      return errors(400, 'cipher: message authentication failed')
    }
  }
}

function errors(status: number, ...texts: readonly string[]): Answer {
  return reply(status, { errors: texts }, { 'content-type': 'application/json' })
}
