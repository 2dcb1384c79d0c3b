import { duration, tokenAlgorithms } from './authority-sections.ts'
import { choice, flag, requiredText, section } from './fields.ts'

/** The authorization server of this deployment (SPEC A1). */
export const oauth = section('The authorization server: who gives tokens to programs and people here.', {
  enabled: flag(true, 'Serve it. `serve` does where `issuer` is set and a provider of master keys is configured.'),
  issuer: requiredText('Its name: the origin under which clients reach the HTTP listener. Every token names it.', {
    form: 'an https origin such as https://auth.example.com',
    defaultText: 'under `up`, the address of the HTTP listener',
  }).optional(),
  accessTokenTtl: duration('1h', 'How long an access token is good: from 1m to 1h.'),
  codeTtl: duration('60s', 'How long an authorization code is good: from 1s to 60s.'),
  refresh: section('Refresh tokens. Each is good once, and its use gives the next one.', {
    ttl: duration('14d', 'When the last one of a sign-in ends, however often they were used: from 1h to 365d.'),
  }),
  keys: section('The keys that sign tokens. A new one is made by itself, published, and later used.', {
    algorithm: choice(tokenAlgorithms, 'ES256', 'What tokens are signed with.'),
    rotateAfter: duration('90d', 'How old a key becomes before the next one is made: from 1d to 365d.'),
    publishAhead: duration('1h', 'How long the next key is published before it signs: from 1s to 7d.'),
  }),
})
