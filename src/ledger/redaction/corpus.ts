import type { DetectorName } from './detector.ts'

/** Made-up values of the right form in the texts they come in. Put together from parts, so that no scanner takes them for real. */
export interface Positive {
  readonly kind: DetectorName
  readonly text: string
  /** What must not be left of it. */
  readonly secret: string
}

const word = 'Zk3vQ9xT7bLmN2pRs5wY'
const long = `${word}${word}8aB`
const b64 = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url')
const claims = Buffer.from('{"sub":"1234567890","admin":true}').toString('base64url')
const dashes = '-'.repeat(5)
const pem = (kind: string, end: boolean): string =>
  `${dashes}BEGIN ${kind}PRIVATE KEY${dashes}\n${long}/+\n${word}==\n${end ? `${dashes}END ${kind}PRIVATE KEY${dashes}` : ''}`
const at = (local: string, domain: string): string => `${local}@${domain}`

function of(kind: DetectorName, secret: string, ...texts: readonly string[]): readonly Positive[] {
  return texts.map((text) => ({ kind, secret, text: text.replaceAll('%', () => secret) }))
}

export const positives: readonly Positive[] = [
  ...of(
    'api_key',
    `pc_${'0'.repeat(9)}A1b2C3d4E5f6G_${long}${word.slice(0, 6)}`,
    '%',
    'the key is %.',
    '"key":"%"',
    'a=%&b=1',
  ),
  ...of('api_key', ['sk', long].join('-'), '%', 'OPENAI_API_KEY=%', 'call failed for % (401)', '"%"'),
  ...of('api_key', ['sk', 'proj', long].join('-'), 'with %', 'Incorrect API key provided: %.'),
  ...of('api_key', ['sk', 'ant', 'api03', `${word}_${word}-AA`].join('-'), 'x-api-key: %', '%,'),
  ...of('api_key', ['sk', 'live', word].join('_'), 'stripe % here'),
  ...of('api_key', ['ghp', `${word}${word.slice(0, 16)}`].join('_'), '%', 'git clone with %', 'https://x/?t=%'),
  ...of('api_key', ['github', 'pat', `11AAAA_${long}`].join('_'), 'pat %'),
  ...of('api_key', ['glpat', word].join('-'), 'CI: %'),
  ...of('api_key', ['AK', 'IA', 'IOSFODNN7EXAMPLQ'].join(''), 'aws % us-east-1', '%', '"%"', 'id=%;'),
  ...of('api_key', ['xoxb', '123456789012', '123456789012', word].join('-'), 'slack: %'),
  ...of('api_key', ['AI', 'za', `${word}${word.slice(0, 15)}`].join(''), 'maps key=%'),
  ...of('api_key', ['hf', `${word}${word.slice(0, 14)}`].join('_'), 'huggingface %'),
  ...of('api_key', ['npm', `${word}${word.slice(0, 16)}`].join('_'), '//registry/:_authToken=%'),
  ...of('jwt', `${b64}.${claims}.${word}`, '%', 'cookie session=%; path=/', 'token "%" expired', 'cut %…'),
  ...of('jwt', `${b64}.${claims}.`, 'unsigned %'),
  ...of('bearer', word, 'Authorization: Bearer %', 'bearer %', 'authorization=bearer:%', 'Token %'),
  ...of('bearer', Buffer.from(`me:${word}`).toString('base64'), 'Basic %', 'Authorization: basic %'),
  ...of('url_password', `${word}!`, 'postgres://app:%@db.internal:5432/main', 'redis://:%@cache:6379'),
  ...of(
    'private_key',
    long,
    ...['', 'RSA ', 'EC ', 'OPENSSH ', 'ENCRYPTED '].map((kind) => `before ${pem(kind, true)} after`),
  ),
  ...of('private_key', long, pem('', false), JSON.stringify({ pem: pem('', true) })),
  ...of('email', at('jane.doe', 'example.com'), '%', 'mail %, please', '<%>', 'mailto:%?subject=x', 'user=%;'),
  ...of('email', at('j+tag_1', 'mail.example.co.uk'), 'from % to nobody', '"%"'),
  ...of('email', at('jürgen', 'bücher.example'), 'an % schreiben'),
  ...of('email', at("o'neil%27".slice(0, 6), 'example.org.'.slice(0, 11)), 'ask %.'),
  ...of('card', ['4111', '1111', '1111', '1111'].join(' '), 'card %', 'paid with %.', '%'),
  ...of('card', ['5500', '0000', '0000', '0004'].join(''), 'pan=%', '"pan":"%"'),
  ...of('card', ['3782', '822463', '10005'].join('-'), 'amex % exp 01/30'),
  ...of('card', ['6011', '0009', '9013', '9424'].join('-'), 'discover %'),
  ...of('card', ['3056', '930902', '5904'].join(''), 'diners % '),
  ...of('card', ['2223', '0031', '2200', '3222'].join(' '), 'new mastercard %'),
  ...of('phone', ['+49', '30', '901820'].join(' '), 'call %', '% (office)'),
  ...of('phone', ['+1', '415', '555', '0132'].join('-'), 'tel:%', 'sms to %.'),
  ...of('phone', ['+44', '20', '7946', '0958'].join(''), '%'),
  ...of('phone', ['(415)', '555-0132'].join(' '), 'US % ext'),
  ...of('phone', ['415', '555', '0132'].join('-'), 'at % today'),
  ...of('phone', ['030', '9018 2012'].join(' '), 'Tel. %'),
  ...of('phone', ['0171', '5550123'].join('/'), 'mobil %'),
]

/** What looks like one of them and is none. */
export const lookalikes: readonly string[] = [
  'run_0199d2f0-1234-7000-8000-0123456789ab',
  '01234567-1234-7234-8234-012345678901',
  '4111111111111112',
  '1234567890123456',
  '4242-4242-4242-4243',
  'sha256:4111111111111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  '0.4111111111111111',
  '4111111111111111.5',
  'req_4111111111111111',
  'costNanoUsd 1763756725000',
  '2026-11-21T18:45:29.123456Z',
  '2026-11-21 18:45:29',
  'from 2026-11-21 to 2027-01-31',
  '2026-11-21T18:45:29+01:00',
  '10.0.0.0/8 and 192.168.100.200:50051',
  'fd00:1234:5678:9abc::1',
  '[::1]:50051',
  'version 1.2.3+build.20261121',
  'step 3 + 4 of 12',
  'tokens in=1234567 out=7654321',
  'latency 1200 ms, 5000 rows, 123 456 789 bytes',
  'HTTP/1.1 200 OK 1234567890',
  'claude-model-4-20261121',
  'gpt-5.5-turbo-2026-11-21',
  'sk-learn-pipeline-for-text-classification',
  'task-1234567890-abcdef-is-done',
  'risk-assessment-2026-for-the-team-of-four',
  'desk-booking-service-v2-of-the-platform-4',
  'the bearer of bad news',
  'bearer authentication',
  'Basic understanding of the subject',
  'token bucket',
  'token authentication',
  'basic-auth',
  'a Bearer credential is missing',
  'eyJ',
  'eyJhbGci is how it begins',
  'eyebrow.raised.twice',
  'npm install @portcullis/contract@0.1.0',
  'pkg@1.2.3',
  'root@localhost',
  'see @team and @other',
  'icon@2x.png',
  'git@github.com:owner/repo.git',
  'actions/checkout@v4.1.7',
  'AKIA',
  'AKIAlike words',
  'xox-hugs-and-kisses',
  'ghp_short',
  'pc_short_key',
  'hf_model',
  '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----',
  '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
  'https://example.com:8080/path?x=1',
  'https://example.com/@user/post',
  'postgres://app@db.internal:5432/main',
  'model-a',
  'summarise',
  'prompt_hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'pages 100-200 of 300-4000',
  'port 0 8080 9091',
]
