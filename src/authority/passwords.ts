import * as crypto from 'node:crypto'

/**
 * Second choice of RFC 9106 (section 4) with one lane: 64 MiB and three passes, about 0.2 s; OWASP asks for no less than 19 MiB and
 * two. Two at a time take 128 MiB and one thread each of the four that libuv has.
 */
export const argonCost = { memoryKiB: 65_536, passes: 3, parallelism: 1 } as const

const saltBytes = 16
const tagBytes = 32
const workersMax = 2
const waitingMax = 16

type Cost = { readonly [Name in keyof typeof argonCost]: number }

/** As many wait for their password to be looked at as may: try again in a moment. */
export class PasswordsBusy extends Error {
  override readonly name = 'PasswordsBusy'
}

/** Hashes and verifies passwords with argon2id, off the event loop, a few at a time (SPEC A9). */
export class Passwords {
  readonly #waiting: (() => void)[] = []
  readonly #cost: Cost
  #working = 0
  #nobody: Promise<string> | undefined

  constructor(cost: Cost = argonCost) {
    this.#cost = cost
  }

  /** The PHC string of a new password. @throws PasswordsBusy */
  async hash(password: string): Promise<string> {
    const salt = crypto.randomBytes(saltBytes)
    const tag = await this.#derive(password, salt, tagBytes, this.#cost)
    const { memoryKiB, passes, parallelism } = this.#cost
    return `$argon2id$v=19$m=${memoryKiB},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`
  }

  /**
   * Whether it is the password behind that PHC string. Without one the same work is done for nothing, so that a name which nobody
   * has takes as long as any other. @throws PasswordsBusy
   */
  async verify(password: string, phc: string | undefined): Promise<boolean> {
    this.#nobody ??= this.hash(crypto.randomBytes(saltBytes).toString('hex')).catch((error: unknown) => {
      this.#nobody = undefined
      throw error
    })
    const stored = parsePhc(phc ?? (await this.#nobody))
    const tag = await this.#derive(password, stored.salt, stored.tag.length, stored.cost)
    return crypto.timingSafeEqual(tag, stored.tag) && phc !== undefined
  }

  async #derive(password: string, salt: Uint8Array, tagLength: number, cost: Cost): Promise<Buffer> {
    // By name it would be missed at the start of a process that never sees a password.
    const { argon2 } = crypto
    if (typeof argon2 !== 'function') throw new Error('this Node has no argon2: passwords need Node 24.7 or later')
    await this.#turn()
    try {
      return await new Promise((resolve, reject) =>
        argon2(
          'argon2id',
          {
            message: password.normalize('NFKC'),
            nonce: salt,
            tagLength,
            memory: cost.memoryKiB,
            passes: cost.passes,
            parallelism: cost.parallelism,
          },
          (error, key) => (error === null ? resolve(key) : reject(error)),
        ),
      )
    } finally {
      this.#working -= 1
      this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    if (this.#working >= workersMax) {
      if (this.#waiting.length >= waitingMax) throw new PasswordsBusy('too many passwords are being looked at')
      await new Promise<void>((go) => this.#waiting.push(go))
    }
    this.#working += 1
  }
}

interface Phc {
  readonly cost: Cost
  readonly salt: Buffer
  readonly tag: Buffer
}

const phcForm = /^\$argon2id\$v=19\$m=(\d{4,7}),t=(\d{1,2}),p=(\d)\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})$/

/** @throws where the text is none that was written here: a broken database, never a wrong password. */
function parsePhc(phc: string): Phc {
  const [, memory, passes, parallelism, salt = '', tag = ''] = phcForm.exec(phc) ?? []
  if (memory === undefined) throw new Error('a stored password hash has not the form of argon2id')
  return {
    cost: { memoryKiB: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

/** Base64 without padding, as PHC strings have it. */
function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '')
}
