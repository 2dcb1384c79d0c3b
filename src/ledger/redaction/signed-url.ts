import type { Detector } from './detector.ts'

/** Parts of URLs that let in whoever has them; what stands before them stays. */
const forms: readonly RegExp[] = [
  // Signatures of Azure (SAS), AWS, Google and CloudFront.
  /([?&;](?:sig|X-Amz-Signature|X-Amz-Security-Token|X-Goog-Signature|Signature)=)([A-Za-z0-9%+/=_~-]{20,})/g,
  // Webhooks of Slack, Discord and Teams, bots of Telegram.
  /(hooks\.slack\.com\/(?:services|workflows|triggers)\/)([A-Za-z0-9/_-]{20,})/g,
  /(discord(?:app)?\.com\/api\/webhooks\/\d{5,25}\/)([A-Za-z0-9_-]{20,})/g,
  /(webhook\.office\.com\/webhookb2\/)([A-Za-z0-9@/_-]{30,})/g,
]

// One of them is in each form.
const signs = ['sig=', 'Signature=', 'Security-Token=', 'hooks.slack', '/webhook']

export const signedUrl: Detector = {
  name: 'signed_url',
  find: ({ text }, found) => {
    if (!signs.some((sign) => text.includes(sign))) return
    for (const form of forms) {
      for (const { index, 1: before = '', 2: secret = '' } of text.matchAll(form)) {
        const start = index + before.length
        found(start, start + secret.length, '***')
      }
    }
  },
}
