import { describe, expect, it } from 'vitest'
import { Secret } from './secret.ts'
import { signWebhook, webhookKey } from './webhook-signature.ts'

describe('signatures of webhooks', () => {
  it('O11: are those of the Standard Webhooks specification', () => {
    // The example of its reference implementations.
    const key = webhookKey(new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n'))
    expect(key?.length).toBe(24)
    const headers = signWebhook('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}', key ? [key] : [])
    expect(headers).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    })
  })

  it('O11: there is one for each key while a secret is replaced', () => {
    const [one, other] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
    const each = [one, other].map((key) => signWebhook('a', 1, 'b', [key])['webhook-signature'])
    expect(signWebhook('a', 1, 'b', [one, other])['webhook-signature']).toBe(each.join(' '))
  })

  it.each([
    '',
    'whsec_',
    'whsec_c2hvcnQ=',
    `whsec_${'A'.repeat(100)}`,
    'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    'whsec_a b',
  ])('O11: %j is no signing secret', (text) => expect(webhookKey(new Secret(text))).toBeUndefined())
})
