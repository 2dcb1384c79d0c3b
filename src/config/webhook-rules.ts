import { parseTarget, webhookKey } from '#core'
import { certificates } from './certificates.ts'
import { notShown, problem, redacted, showValue, type Problem } from './problem.ts'
import type { CheckedConfig } from './schema.ts'
import { readSecretFile } from './secret-file.ts'
import { suggest } from './suggest.ts'
import { meansEvent, webhookEvents } from './webhook-sections.ts'

type Webhook = CheckedConfig['webhooks'][number]

/** Webhooks can be told apart, go where they may, are signed, and tell of what there is (SPEC O11). */
export function webhooksAreSound({ config }: { readonly config: CheckedConfig }): readonly Problem[] {
  const { webhooks, env } = config
  return webhooks.flatMap((webhook, index) => {
    const path = `webhooks.${index}`
    return [
      ...namedOnce(path, webhook, webhooks.slice(0, index)),
      ...urlIsSound(path, webhook),
      ...certificates(`${path}.caFile`, webhook.caFile),
      ...secretIsSound(`${path}.secretFile`, webhook.secretFile, env === 'production'),
      ...secretIsSound(`${path}.nextSecretFile`, webhook.nextSecretFile, env === 'production'),
      ...webhook.events.flatMap((pattern, at) => meansSomething(`${path}.events.${at}`, pattern)),
    ]
  })
}

function namedOnce(path: string, { name }: Webhook, before: readonly Webhook[]): readonly Problem[] {
  if (!before.some((one) => one.name === name)) return []
  const why = 'Another webhook has this name: it is the name of what waits for it and of its metrics.'
  return [problem(`${path}.name`, showValue(name), why, 'Give each webhook a name of its own.')]
}

function urlIsSound(path: string, { url, allowPrivate }: Webhook): readonly Problem[] {
  try {
    parseTarget(url, { allowPrivate, allowHttp: allowPrivate && 'own' })
    return []
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'The URL cannot be read.'
    const todo = 'Write an https URL of a public host, or set allowPrivate: true for a network of your own.'
    return [problem(`${path}.url`, redacted, why, todo)]
  }
}

function secretIsSound(path: string, file: string | undefined, production: boolean): readonly Problem[] {
  if (file === undefined) return []
  const { secret, problems } = readSecretFile(path, file, production)
  if (secret === undefined || webhookKey(secret) !== undefined) return problems
  const why = 'The file holds no signing secret: whsec_ and 24 to 64 bytes in base64.'
  const todo = 'Make one: printf whsec_%s "$(openssl rand -base64 32)" > FILE'
  return [...problems, problem(path, notShown, why, todo)]
}

function meansSomething(path: string, pattern: string): readonly Problem[] {
  if (webhookEvents.some((event) => meansEvent(pattern, event))) return []
  const near = suggest(pattern, webhookEvents)
  const todo =
    near === undefined ? `There are ${webhookEvents.join(', ')}; kill.* means all of a kind.` : `Did you mean ${near}?`
  return [problem(path, showValue(pattern), 'There is no such event.', todo)]
}
