/** What stands where a value was taken out. */
export const redacted = '[redacted]'

/** Whether the name of a member says that its value is a secret. */
export function isSecretName(name: string): boolean {
  return secretName.test(name)
}

/** Whether the name is that of a count of tokens, as in `inputTokens`, which stays where its value is a number. */
export function isTokenCount(name: string, value: unknown): boolean {
  return tokenCountName.test(name) && (typeof value === 'number' || (typeof value === 'string' && count.test(value)))
}

/** Whether the name of a member says that its value names a person, and is to stay joinable. */
export function isPersonalName(name: string): boolean {
  return personalName.test(name)
}

const personalName = /(?:^|[a-z_])(?:e-?mail(?:Address)?|phone(?:Number)?|msisdn|personal)$/i
const secretName = /secret|token|password|authorization|key$/i
const tokenCountName = /tokens/i
const count = /^\d{1,20}$/
