import type { Detector } from './detector.ts'

/**
 * API keys that are known by their prefix, which stays: it says whose key it was. Each row is the prefix and what follows it.
 * Where words could follow too, a digit is demanded.
 */
const rows: readonly (readonly [prefix: string, body: string])[] = [
  ['pc_', '[0-9A-Za-z]{22}_[0-9A-Za-z]{8,}'],
  // OpenAI, Anthropic and many others: sk-, sk-proj-, sk-ant-.
  ['sk-', '(?=[A-Za-z_-]{0,64}\\d)[A-Za-z0-9_-]{16,}'],
  // Stripe.
  ['[sr]k_(?:live|test)_', '[A-Za-z0-9]{10,}'],
  ['whsec_', '[A-Za-z0-9+/=]{16,}'],
  // GitHub.
  ['gh[pousr]_', '[A-Za-z0-9]{20,}'],
  ['github_pat_', '[A-Za-z0-9_]{20,}'],
  ['glpat-', '[A-Za-z0-9_-]{16,}'],
  // AWS access key ids.
  ['(?:AKIA|ASIA)', '[A-Z0-9]{16}(?![A-Za-z0-9])'],
  // Slack.
  ['xox[abeoprs]-', '(?=[A-Za-z-]{0,64}\\d)[A-Za-z0-9-]{10,}'],
  ['xapp-', '(?=[A-Za-z-]{0,64}\\d)[A-Za-z0-9-]{10,}'],
  // Google.
  ['AIza', '[A-Za-z0-9_-]{35}'],
  ['ya29\\.', '[A-Za-z0-9_-]{20,}'],
  ['npm_', '[A-Za-z0-9]{36}'],
  ['hf_', '[A-Za-z0-9]{30,}'],
  ['SG\\.', '[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}'],
  ['dop_v1_', '[a-f0-9]{40,}'],
]

const known = new RegExp(`(?<![A-Za-z0-9])(?:${rows.map(([prefix, body]) => `(${prefix})${body}`).join('|')})`, 'g')

export const apiKeys: Detector = {
  name: 'api_key',
  mask: (text, hit) =>
    text.replace(known, (...match: unknown[]) => {
      hit()
      const prefix = match.slice(1, rows.length + 1).find((group) => typeof group === 'string')
      return `${typeof prefix === 'string' ? prefix : ''}***`
    }),
}
