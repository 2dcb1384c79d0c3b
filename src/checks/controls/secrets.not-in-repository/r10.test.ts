import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'
import { mayHoldSecret } from '../../collect/secret-findings.ts'

// Built here, so that none stands in a file of this repository.
const of = (alphabet: string, length: number): string => {
  let text = ''
  for (let at = 0; text.length < length; at += 7) text += alphabet[at % alphabet.length] ?? ''
  return text
}
const alnum = 'aB3cD4eF5gH6iJ7kL8mN9pQ2rS'
const hex = '0123456789abcdef'
const join = (...parts: readonly string[]): string => parts.join('')
const random = join('q8Zr', 'T2vK', 'x9Lm', 'W4bN', 'c7Yp', 'J3dH')
const placeholder = join('change', '-in-', 'production')
const dev = join('dev', '-', 'secret')

const pem = (name: string): string =>
  join(`-----BEGIN ${name}`, '-----\n', 'MI', of(alnum, 300), `\n-----END ${name}`, '-----\n')
// One of each kind that secretlint's recommended rules document.
const documented: readonly (readonly [name: string, text: string, path?: string])[] = [
  ['AWSSecretAccessKey', join('AWS_SECRET', '_ACCESS_KEY = ', of(alnum, 40), '\n')],
  ['PrivateKeyJSON', JSON.stringify({ private_key_id: 'x', private_key: pem(join('PRIVATE', ' KEY')) }), 'key.json'],
  ['PrivateKey', pem(join('RSA PRIVATE', ' KEY'))],
  ['npmAccessToken', join('npm', '_', of(alnum, 36))],
  ['npmAuthToken', join('//packages.internal/:_auth', 'Token=', of(alnum, 36)), '.npmrc'],
  ['xOAuth', join('{"a": "https://', of(alnum, 12), ':x-oauth', '-basic@github.com/a/b"}'), 'package.json'],
  ['BasicAuth', join('https://', 'deployer', ':', of(alnum, 12), '@host.internal.net')],
  ['SlackToken', join('xox', 'b-', of('12345', 11), '-', of('12345', 12), '-', of(alnum, 24))],
  [
    'SlackWebhook',
    join('https://hooks.', 'slack.com/services/T', of(alnum, 8), '/B', of(alnum, 8), '/', of(alnum, 24)),
  ],
  ['SendGrid', join('SG', '.', of(alnum, 22), '.', of(alnum, 43))],
  ['Shopify', join('shp', 'at_', of(hex, 32))],
  ['Stripe', join('sk', '_live_', of(alnum, 30))],
  ['GitHub', join('gh', 'p_', of(alnum, 36))],
  ['GitHub fine-grained', join('github', '_pat_', of(alnum, 82))],
  ['GitLab', join('gl', 'pat-', of(alnum, 20))],
  ['Grafana', join('glsa', '_', of(alnum, 32), '_', of(hex, 8))],
  ['OpenAI', join('sk-', of(alnum, 20), 'T3Blbk', 'FJ', of(alnum, 20))],
  ['Anthropic', join('sk-', 'ant-api03-', of(alnum, 93), 'AA')],
  ['Groq', join('gsk', '_', of(alnum, 52))],
  ['Hugging Face', join('hf', '_', of('abcDEFghiJKL', 34))],
  ['Linear', join('lin', '_api_', of(alnum, 40))],
  ['Notion', join('ntn', '_', of('0123456789', 11), of(alnum, 35))],
  [
    '1Password',
    join(
      'ops',
      '_',
      Buffer.from(JSON.stringify({ email: 'a@b.c', muk: of(alnum, 200), deviceUuid: 'xy' })).toString('base64'),
    ),
  ],
  ['MongoDB', join('mongodb://', 'app:', of(alnum, 14), '@db.internal/x')],
  ['MySQL', join('mysql://', 'app:', of(alnum, 14), '@db.internal/x')],
  ['PostgreSQL', join('postgres://', 'app:', of(alnum, 14), '@db.internal/x')],
  ['Vault', join('hvs', '.', of(alnum, 95))],
  ['Vercel', join('vc', 'p_', of(alnum, 24))],
  ['Databricks', join('da', 'pi', of(hex, 32))],
  ['Docker', join('dckr', '_pat_', of(alnum, 27))],
  ['Figma', join('figd', '_', of(alnum, 42))],
  ['Cloudflare', join('cf', 'ut_', of(alnum, 40), of(hex, 8))],
  ['Tailscale', join('tskey', '-auth-', of(alnum, 12), '-', of(alnum, 30))],
]

const workflow = (steps: string): Record<string, string> => ({
  '.github/workflows/ci.yml': `on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n${steps}`,
})

describe('R10', () => {
  it('R10: holds where settings come from outside', async () => {
    const result = await judged('R10', {
      'src/config.ts': [
        'const jwtSecret = process.env.JWT_SECRET',
        "if (!jwtSecret) throw new Error('JWT_SECRET is not set')",
        "export const ACCESS_TOKEN = 'access_token'",
        "const CSRF_TOKEN = 'x-csrf-token'",
        "const empty = process.env.API_KEY ?? ''",
        'const url = `${process.env.API_KEY}`',
        "enum Kind { Password = 'password' }",
        "const labels = { password: 'Password', newPassword: 'Enter a new password', token: 'Token' }",
        "const SECRET_KEY_ENV = 'JWT_SECRET'",
        "const schema = { clientSecret: 'string', api_key: 'required' }",
        "const errors = { INVALID_PASSWORD: 'auth/wrong-password', EXPIRED_TOKEN: 'token_expired_401' }",
        "const passwordFile = '/run/secrets/db'",
        "expect(secret).toBe('abc')",
      ].join('\n'),
      'app/settings.py': [
        'import os',
        'JWT_SECRET = os.environ["JWT_SECRET"]',
        'API_KEY = os.getenv("API_KEY", "")',
        'password: str | None = None',
        'TOKEN_URL = "https://idp.example.org/token"',
        'SECRET_KEY = env("SECRET_KEY")',
        'PAD_TOKEN = "<pad>"',
        'BOT_TOKEN = "YOUR_BOT_TOKEN_HERE"',
        'DISCORD_TOKEN = "DISCORD_TOKEN"',
        'secret_key = os.getenv("SECRET_KEY", os.urandom(32).hex())',
      ].join('\n'),
      'main.go': 'package main\n\nvar jwtSecret = os.Getenv("JWT_SECRET")\n\nconst tokenHeader = "x-auth-token"\n',
      '.env.example': `JWT_SECRET=${placeholder}\nAPI_KEY=\n`,
    })
    expect(places(result)).toEqual([])
    expect(result.outcome).toBe('PASS')
  })

  it('R10: does not apply where there is no text', async () => {
    expect((await judged('R10', {})).outcome).toBe('NOT_APPLICABLE')
    expect((await judged('R10', { 'logo.png': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R10: a source that cannot be read is unknown, and so is a workflow an error', async () => {
    const broken = `const JWT_SECRET = '${random}'\n${'}}) %% ((( @@ '.repeat(400)}`
    expect((await judged('R10', { 'src/a.ts': broken })).outcome).toBe('UNKNOWN')
    expect((await judged('R10', workflow('      - run: [unclosed\n'))).outcome).toBe('ERROR')
  })

  it.each(documented.map(([name, text, path = 'config/notes.conf']) => [name, text, path] as const))(
    'R10: a %s is found, and its beginning lets it through',
    async (_, text, path) => {
      expect(mayHoldSecret(text)).toBe(true)
      const result = await judged('R10', { [path]: text })
      expect(result.outcome).toBe('FAIL')
    },
  )

  it('R10: what it finds is never part of what it says', async () => {
    const secret = documented.find(([name]) => name === 'GitHub')?.[1] ?? ''
    const files = {
      'a.conf': `key=${secret}`,
      'src/b.ts': `const JWT_SECRET = '${random}'`,
      'src/c.py': `import os\nS = os.environ.get("JWT_SECRET", "${dev}")`,
      '.env': `JWT_SECRET=${random}`,
    }
    const said = JSON.stringify((await judged('R10', files)).evidence)
    for (const each of [secret, random, dev]) expect(said).not.toContain(each)
    expect(said).not.toContain(secret.slice(8))
    expect(said).not.toContain(random.slice(8))
  })

  it.each([
    ['src/a.ts', `const JWT_SECRET = '${dev}'`, '1:20'],
    ['src/a.ts', `export const jwtSecret: string = "${placeholder}"`, '1:34'],
    ['src/a.ts', `const s = process.env.JWT_SECRET ?? '${dev}'`, '1:37'],
    ['src/a.js', `const s = process.env.JWT_SECRET || 'x1y2z3'`, '1:37'],
    ['src/a.js', `const s = process.env['SESSION_SECRET'] || "keyboard cat"`, '1:44'],
    ['src/a.ts', `const { API_KEY = '${dev}' } = process.env`, '1:19'],
    ['src/a.ts', `const env = z.object({ JWT_SECRET: z.string().default('${dev}') })`, '1:55'],
    ['src/a.ts', `app.use(session({ secret: '${random}' }))`, '1:27'],
    ['src/a.ts', "const key = jwt.sign(claims, 'the-whole-secret-1')", '1:30'],
    ['src/a.ts', `class A { private readonly apiKey = '${random}' }`, '1:37'],
    ['src/a.tsx', `const el = <App apiKey={key} />\nconst DB_PASSWORD = Buffer.from('${random}')`, '2:33'],
    ['app/a.py', `import os\ns = os.environ.get("JWT_SECRET", "${dev}")`, '2:34'],
    ['app/a.py', `s = os.getenv('DB_PASSWORD') or 'postgres1'`, '1:33'],
    ['app/a.py', `SECRET_KEY = "${placeholder}"`, '1:14'],
    ['app/a.py', `S = os.getenv("SECRET_KEY", "secret_key")`, '1:29'],
    ['app/a.py', `S = os.getenv("SECRET_KEY", "test")`, '1:29'],
    ['app/a.py', `class S(BaseSettings):\n    jwt_secret: str = "${dev}"`, '2:23'],
    ['app/a.py', `app.config["SECRET_KEY"] = '${random}'`, '1:28'],
    ['app/a.py', `connect(host, password="${random}")`, '1:24'],
    ['app/a.py', `conf = {"api_key": "${random}"}`, '1:20'],
    ['a.go', `package a\n\nvar jwtSecret = []byte("${dev}")`, '3:24'],
    ['a.go', `package a\n\nconst JWTSecret = "${dev}"`, '3:19'],
    ['a.go', `package a\n\nfunc f() { s := getEnv("JWT_SECRET", "${dev}"); _ = s }`, '3:38'],
    ['a.go', `package a\n\nvar c = Config{Password: "${random}"}`, '3:26'],
    ['.env', `A=1\nexport JWT_SECRET="${dev}"\n`, '2:20'],
    ['deploy/.env.production', `DB_PASSWORD=${random} # of the database\r\n`, '1:13'],
  ])('R10: is broken by a literal in %s: %s', async (path, text, at) => {
    const result = await judged('R10', { [path]: text })
    expect(places(result)).toEqual([`${path}:${at} FAIL`])
  })

  it('R10: a file of variables without a secret is a doubt, an example to copy none', async () => {
    expect(places(await judged('R10', { '.env': 'PORT=3000\n' }))).toEqual(['.env:1:1 WARN'])
    expect((await judged('R10', { '.env.sample': `JWT_SECRET=${dev}\n` })).outcome).toBe('PASS')
  })

  it('R10: in tests only what looks like a real one is a doubt', async () => {
    expect((await judged('R10', { 'src/a.test.ts': `const JWT_SECRET = '${dev}'` })).outcome).toBe('PASS')
    expect((await judged('R10', { 'src/a.test.ts': `const JWT_SECRET = '${random}'` })).outcome).toBe('WARN')
  })

  it.each([
    ['block style', '      - run: echo "${{ secrets.KEY }}"\n', 'FAIL'],
    ['flow style', '      - { run: "echo ${{ secrets.KEY }}" }\n', 'FAIL'],
    ['CRLF', '      - run: |\r\n          echo ${{ secrets.KEY }}\r\n', 'FAIL'],
    ['a variable', '      - run: echo "$KEY"\n        env:\n          KEY: ${{ secrets.KEY }}\n', 'FAIL'],
    ['a variable of the script', '      - run: |\n          key="${{ secrets.KEY }}"\n          echo "$key"\n', 'FAIL'],
    ['another form', '      - run: echo "$KEY" | base64\n        env: { KEY: "${{ secrets.KEY }}" }\n', 'FAIL'],
    [
      'a here-document',
      '      - run: |\n          cat <<END\n          $KEY\n          END\n        env: { KEY: "${{ secrets.KEY }}" }\n',
      'FAIL',
    ],
    ['a named variable', '      - run: printenv KEY\n        env: { KEY: "${{ secrets.KEY }}" }\n', 'FAIL'],
    ['the environment', '      - run: env | sort\n        env: { KEY: "${{ secrets.KEY }}" }\n', 'WARN'],
    ['tracing', '      - run: set -eux\n        env: { KEY: "${{ secrets.KEY }}" }\n', 'WARN'],
  ])('R10: a step that prints a secret (%s)', async (_, steps, outcome) => {
    const result = await judged('R10', workflow(steps))
    expect(result.evidence.map((each) => each.outcome)).toEqual([outcome])
  })

  it.each([
    'echo "$KEY" | docker login --password-stdin -u me',
    'echo "$KEY" > key.txt',
    'echo "::add-mask::$KEY"',
    'echo "length ${#KEY}"',
    'echo "set: ${KEY:+yes}"',
    "echo '${{ secrets.KEY != '' }}'",
    'hash=$(echo "$KEY" | sha256sum)',
    'x=$(curl -H "A: ${{ secrets.KEY }}" https://example.org); echo "$x"',
    'curl -H "Authorization: Bearer $KEY" https://example.org',
    'env FOO=1 ./build.sh',
    'set -euo pipefail',
    'echo "KEY=$KEY" >> "$GITHUB_ENV"',
    'cat "$KEY_FILE"',
  ])('R10: a step that only uses a secret holds: %s', async (run) => {
    const steps = `      - run: |\n          ${run}\n        env:\n          KEY: \${{ secrets.KEY }}\n`
    expect(places(await judged('R10', workflow(steps)))).toEqual([])
  })

  it('R10: the name of the property counts where that of the setting says nothing', async () => {
    const { outcome } = await judged('R10', { 'src/a.ts': "const c = { jwtSecret: process.env.X ?? 'dev-secret' }\n" })
    expect(outcome).toBe('FAIL')
  })
})
