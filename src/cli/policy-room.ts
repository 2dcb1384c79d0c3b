import type { Config } from '#config'

/** What the commands of policies use of the server room. */
export interface PolicyRoom {
  showPolicySchema(config?: Pick<Config, 'services'>): string
  checkPolicies(
    dir: string,
    config?: Pick<Config, 'services'>,
  ): Promise<{
    readonly ok: boolean
    readonly files: number
    readonly policies: number
    readonly problems: readonly string[]
    readonly warnings: readonly string[]
  }>
}
