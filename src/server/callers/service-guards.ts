import { stat } from 'node:fs/promises'
import type { Logger } from 'pino'
import { methods, type Method } from '@portcullis/contract'
import { readTokenFile, type Config } from '#config'
import { closeScopes, sha256, type Caller, type Tenant } from '#core'
import { modeOf, type GuardPort, type ServiceGuard, type TokenResult } from '#gate'
import type { TenantDirectory } from './bound-caller.ts'

type Settings = Config['serviceTokens']

export interface ServiceGuardParts {
  readonly tenants: TenantDirectory
  readonly log: Logger
  /** Told of every call of a guarded service. */
  readonly saw: GuardPort['saw']
  /** Told when a token changed in its file. */
  readonly changed: () => void
}

const lookEveryMs = 1000

/** The guards of services, with the tokens that are in their files now (SPEC G9). */
export class ServiceGuards implements GuardPort {
  readonly #parts: ServiceGuardParts
  #settings: Settings = []
  #guards: ReadonlyMap<string, ServiceGuard> = new Map()
  /** Of each file, as it was read last; undefined where it is empty. */
  #digests = new Map<string, Uint8Array | undefined>()
  /** What told each file from its next version when it was looked at last. */
  #stamps: string | undefined
  #looking = false
  readonly #timer: NodeJS.Timeout

  constructor(settings: Settings, parts: ServiceGuardParts) {
    this.#parts = parts
    this.configure(settings)
    // By looking, not by events: mounted secrets are replaced in ways that events miss.
    this.#timer = setInterval(() => void this.#look(), lookEveryMs)
    this.#timer.unref()
  }

  of({ path }: Method): ServiceGuard | undefined {
    return this.#guards.get(path)
  }

  tenant(idOrName: string): Tenant | undefined {
    return this.#parts.tenants.tenant(idOrName)
  }

  saw(guard: ServiceGuard, caller: Caller | undefined, result: TokenResult): void {
    this.#parts.saw(guard, caller, result)
  }

  /** Takes over the settings, and reads the files that they name. */
  configure(settings: Settings): void {
    this.#settings = settings
    this.#stamps = undefined
    this.#digests = new Map([...filesOf(settings)].map((file) => [file, this.#read(file)]))
    this.#make()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #look(): Promise<void> {
    if (this.#looking || this.#digests.size === 0) return
    this.#looking = true
    const files = this.#digests
    const stamps = (await Promise.all([...files.keys()].map(stampOf))).join('\n')
    this.#looking = false
    if (this.#digests !== files || this.#stamps === stamps) return
    this.#stamps = stamps
    const read = new Map([...files.keys()].map((file) => [file, this.#read(file)]))
    this.#digests = read
    if (JSON.stringify([...read.values()]) === JSON.stringify([...files.values()])) return
    this.#make()
    this.#parts.changed()
  }

  /** A file that cannot be read changes nothing: a token is cleared by emptying its file, never by accident. */
  #read(file: string): Uint8Array | undefined {
    const read = readTokenFile(file)
    if (read.ok) return read.secret === undefined ? undefined : sha256(read.secret.reveal())
    this.#parts.log.error(
      { event: 'service_token.unreadable', why: read.why },
      'the file of a service token cannot be read: the token that it held goes on; put the file back',
    )
    return this.#digests.get(file)
  }

  #make(): void {
    const guards = new Map<string, ServiceGuard>()
    for (const { name, mode, tokenFile, nextTokenFile, scopes } of this.#settings) {
      const digests = [tokenFile, nextTokenFile].flatMap((file) => {
        const digest = file === undefined ? undefined : this.#digests.get(file)
        return digest === undefined ? [] : [digest]
      })
      const guard = { service: name, mode, digests, scopes: closeScopes(new Set(scopes)) }
      for (const path of methods.keys()) if (path.split('/')[1]?.endsWith(`.${name}`) === true) guards.set(path, guard)
      this.#tell(guard)
    }
    this.#guards = guards
  }

  #tell(guard: ServiceGuard): void {
    const { service, mode, digests } = guard
    const about = { event: 'service_token.guard', service, mode: modeOf(guard), tokens: digests.length }
    if (mode === 'enforce' && digests.length === 0)
      this.#parts.log.warn(about, 'there is no service token to enforce: everybody is let in until there is one')
    else this.#parts.log.info(about, 'the guard of a service is set')
  }
}

function filesOf(settings: Settings): ReadonlySet<string> {
  return new Set(settings.flatMap(({ tokenFile, nextTokenFile }) => [tokenFile ?? [], nextTokenFile ?? []].flat()))
}

async function stampOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ctimeMs, size, ino } = await stat(file)
    return [mtimeMs, ctimeMs, size, ino].join(' ')
  } catch (cause) {
    // Why it cannot be read is said by who reads it.
    return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown fault'
  }
}
