import type { SecretsPlace } from './secrets-room.ts'

/** What the CLI uses of the server room for webhooks. */
export interface WebhooksRoom {
  listDeadLetters(place: SecretsPlace, webhook: string | undefined): Promise<readonly DeadLetter[]>
  replayDeadLetters(place: SecretsPlace, webhook: string, event: string | undefined): Promise<number>
  testWebhook(
    place: SecretsPlace,
    webhook: string,
  ): Promise<{ readonly id: string; readonly problem: string | undefined }>
}

export interface DeadLetter {
  readonly webhook: string
  readonly event: string
  readonly action: string
  readonly attempts: number
  readonly givenUpAt: string
  readonly error: string
}
