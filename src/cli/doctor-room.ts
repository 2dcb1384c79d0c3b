import type { Config } from '#config'

/** What `doctor` uses of the server room. */
export interface DoctorRoom {
  examine(config: Config): Promise<{
    readonly database: { readonly problems: readonly string[]; readonly skewMs: number } | string | undefined
    readonly issuer: { readonly keys: number } | string | undefined
  }>
}
