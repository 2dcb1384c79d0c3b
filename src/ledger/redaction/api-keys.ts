import type { Detector } from './detector.ts'
import { characters, eachRun } from './runs.ts'

/**
 * API keys that are known by their prefix, which stays: it says whose key it was. Each row is the prefix and what follows it.
 * Where words could follow too, a digit is demanded.
 */
const rows: readonly (readonly [prefix: string, body: string])[] = [
  // Ours.
  ['pc_', '[0-9A-Za-z]{22}_[0-9A-Za-z]{8,}'],
  ['pcs_', '[0-9A-Za-z]{40,}'],
  // OpenAI, Anthropic, OpenRouter and many others: sk-, sk-proj-, sk-ant-, sk-or-.
  ['sk-', '(?=[A-Za-z_-]{0,64}\\d)[A-Za-z0-9_-]{16,}'],
  // Stripe and Clerk.
  ['[sr]k_(?:live|test)_', '[A-Za-z0-9]{10,}'],
  ['whsec_', '[A-Za-z0-9+/=]{16,}'],
  // GitHub and GitLab.
  ['gh[pousr]_', '[A-Za-z0-9]{20,}'],
  ['github_pat_', '[A-Za-z0-9_]{20,}'],
  ['gl(?:pat|dt|rt|cbt|ptt|ft|agent|soat|oas)-', '[A-Za-z0-9_.-]{16,}'],
  // AWS access key ids, and keys of Bedrock.
  ['(?:AKIA|ASIA|ABIA|ACCA)', '[A-Z0-9]{16}(?![A-Za-z0-9])'],
  ['ABSK', '[A-Za-z0-9+/]{40,}={0,2}'],
  // Slack.
  ['xox[abeoprs]-', '(?=[A-Za-z-]{0,64}\\d)[A-Za-z0-9-]{10,}'],
  ['xapp-', '(?=[A-Za-z-]{0,64}\\d)[A-Za-z0-9-]{10,}'],
  // Google.
  ['AIza', '[A-Za-z0-9_-]{35}'],
  ['ya29\\.', '[A-Za-z0-9_-]{20,}'],
  ['GOCSPX-', '[A-Za-z0-9_-]{20,}'],
  // Packages: npm, PyPI, RubyGems, Docker.
  ['npm_', '[A-Za-z0-9]{36}'],
  ['pypi-', 'A[A-Za-z0-9_-]{40,}'],
  ['rubygems_', '[a-f0-9]{48}'],
  ['dckr_pat_', '[A-Za-z0-9_-]{20,}'],
  // Models: Hugging Face, Groq, Replicate, xAI, Perplexity.
  ['hf_', '[A-Za-z0-9]{30,}'],
  ['gsk_', '[A-Za-z0-9]{30,}'],
  ['r8_', '[A-Za-z0-9]{30,}'],
  ['xai-', '[A-Za-z0-9]{30,}'],
  ['pplx-', '[A-Za-z0-9]{30,}'],
  // Mail: SendGrid, Mailgun, Mailchimp, Brevo.
  ['SG\\.', '[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}'],
  ['key-', '[0-9a-f]{32}(?![0-9a-f])'],
  ['xkeysib-', '[0-9a-f]{32,}(?:-[A-Za-z0-9]{8,})?'],
  // Clouds and their tools: DigitalOcean, Databricks, HashiCorp, Doppler, Pulumi, Shopify, Twilio, Telegram, Azure AD.
  ['do[opr]_v1_', '[a-f0-9]{40,}'],
  ['dapi', '[0-9a-f]{32}(?![0-9a-f])'],
  ['hv[sbr]\\.', '[A-Za-z0-9_-]{20,}'],
  ['dp\\.(?:pt|st|ct|sa)\\.', '[A-Za-z0-9.]{20,}'],
  ['pul-', '[0-9a-f]{40}(?![0-9a-f])'],
  ['shp(?:at|ca|pa|ss)_', '[A-Za-z0-9]{20,}'],
  ['SK', '[0-9a-f]{32}(?![0-9A-Za-z])'],
  ['\\d{8,10}:AA', '[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9_-])'],
  ['[A-Za-z0-9_~.]{3}\\dQ~', '[A-Za-z0-9_~.-]{31,34}(?![A-Za-z0-9_~.-])'],
  // Work tools: Atlassian, Linear, Notion, Figma, Postman, New Relic, Grafana, Sentry, Airtable.
  ['ATATT3x', '[A-Za-z0-9_=-]{40,}'],
  ['lin_(?:api|oauth)_', '[A-Za-z0-9]{30,}'],
  ['ntn_', '[A-Za-z0-9]{30,}'],
  ['figd_', '[A-Za-z0-9_-]{30,}'],
  ['PMAK-', '[0-9a-f]{24}-[0-9a-f]{34}'],
  ['NRAK-', '[A-Z0-9]{20,}'],
  ['gl(?:c|sa)_', '[A-Za-z0-9_+/=]{30,}'],
  ['sntry[su]_', '[A-Za-z0-9_+/=]{30,}'],
  ['pat[A-Za-z0-9]{14}\\.', '[0-9a-f]{64}'],
]

const known = new RegExp(`(?<![A-Za-z0-9])(?:${rows.map(([prefix, body]) => `(${prefix})${body}`).join('|')})`, 'g')

// The shortest key has 15 characters: only runs that are long enough are looked into. Ids of ours are none.
const keyCharacters = characters(/[A-Za-z0-9_.:~+/=-]/)
const shortestKey = 15
const ownId = /^[a-z]{2,4}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const apiKeys: Detector = {
  name: 'api_key',
  find: ({ view }, found) => {
    eachRun(view, keyCharacters, shortestKey, (start, end) => {
      const run = view.slice(start, end)
      if (ownId.test(run)) return
      known.lastIndex = 0
      for (let match = known.exec(run); match !== null; match = known.exec(run)) {
        const prefix = match.slice(1).find((group) => group !== undefined) ?? ''
        found(start + match.index, start + match.index + match[0].length, `${keptPrefix(prefix)}***`)
      }
    })
  },
}

/** A prefix that is made of the key itself says nothing that may stay. */
function keptPrefix(prefix: string): string {
  return /^\d|~/.test(prefix) || prefix.startsWith('pat') ? '' : prefix
}
