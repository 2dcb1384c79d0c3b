import type * as z from 'zod'
import type { Secret } from '#core'
import { audit } from './audit-sections.ts'
import { authority } from './authority-sections.ts'
import { legacyToken, replicas, services } from './callers-sections.ts'
import { costs } from './costs-sections.ts'
import { budgets } from './budget-sections.ts'
import { database } from './database-sections.ts'
import { choice, section } from './fields.ts'
import { jobs } from './jobs-sections.ts'
import { kill } from './kill-sections.ts'
import { limits } from './limits-sections.ts'
import { oauth } from './oauth-sections.ts'
import { listen, reflection, trustedProxies } from './network-sections.ts'
import { policy } from './policy-section.ts'
import { secrets } from './secrets-sections.ts'
import { serviceTokens } from './service-token-sections.ts'
import { debug, telemetry } from './telemetry-sections.ts'
import { tls } from './tls-section.ts'
import { webhooks } from './webhook-sections.ts'

/** Every setting of the product, once: the types, the checks, the variables and the reference page come from here. */
export const configSchema = section('', {
  env: choice(['development', 'staging', 'production'], 'development', 'What this instance is for.'),
  listen,
  tls,
  database,
  limits,
  reflection,
  trustedProxies,
  legacyToken,
  serviceTokens,
  services,
  authority,
  oauth,
  policy,
  kill,
  budgets,
  jobs,
  costs,
  webhooks,
  replicas,
  audit,
  secrets,
  telemetry,
  debug,
  log: section('The log of the process.', {
    level: choice(
      ['fatal', 'error', 'warn', 'info', 'debug', 'trace'],
      'info',
      'The least severe level that is written.',
      {
        reload: true,
      },
    ),
    format: choice(['json', 'text'], 'json', 'One JSON document or one line of text per event.'),
  }),
})

/** What a file, a caller or the command line may say: every setting is optional. */
export type ConfigInput = z.input<typeof configSchema>

/** Settings that passed the schema, before the rules and before the files they name were read. */
export type CheckedConfig = DeepReadonly<z.output<typeof configSchema>>

type CheckedTls = CheckedConfig['database']['tls']

/** The settings of a server: complete, consistent and safe. Secrets are read from their files. */
export type Config = Omit<CheckedConfig, 'database'> & {
  readonly database: Omit<CheckedConfig['database'], 'tls'> & {
    readonly tls: Omit<CheckedTls, 'mode'> & { readonly mode: NonNullable<CheckedTls['mode']> }
  }
}

type DeepReadonly<T> = T extends Secret
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T
