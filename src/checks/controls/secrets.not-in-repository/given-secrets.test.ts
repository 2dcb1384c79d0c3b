import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const join = (...parts: readonly string[]): string => parts.join('')
const random = join('q8Zr', 'T2vK', 'x9Lm', 'W4bN', 'c7Yp', 'J3dH')
const dev = join('dev', '-', 'secret')
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const service = (text: string): string => `services:\n  web:\n    image: a\n${text}`
const secret = (text: string, kind = 'Secret'): string =>
  `apiVersion: v1\nkind: ${kind}\nmetadata: { name: app }\n${text}`
const pod = (env: string): string =>
  `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: a\n      env:\n${env}`
const job = (text: string): string => `on: push\njobs:\n  a:\n    runs-on: x\n${text}    steps: []\n`
const step = (text: string): string => `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - ${text}`
const workflow = '.github/workflows/a.yml'

describe('R10', () => {
  it.each([
    ['ENV', 'Dockerfile', `FROM a\nENV JWT_SECRET=${dev}\n`, '2:16'],
    ['ENV in quotes, among others', 'Dockerfile', `FROM a\nENV A=1 \\\n    JWT_SECRET="${random}" B=2\n`, '3:17'],
    ['ENV without =', 'api.dockerfile', `FROM a\r\nENV API_KEY ${random}\r\n`, '2:13'],
    ['ENV with a default', 'Dockerfile', `FROM a\nENV SECRET_KEY=\${SECRET_KEY:-${dev}}\n`, '2:16'],
    ['ARG of a build', 'Dockerfile', `ARG NPM_TOKEN=${random}\nFROM a\n`, '1:15'],
    ['ARG of a stage', 'Dockerfile', `FROM a AS b\nARG DB_PASSWORD='Tr0ub4dor'\nFROM c\n`, '2:18'],
    ['a map', 'compose.yaml', service(`    environment:\n      JWT_SECRET: ${dev}\n`), '5:19'],
    ['a list', 'compose.yaml', service(`    environment:\n      - "JWT_SECRET=${dev}"\n`), '5:21'],
    ['flow style', 'compose.yaml', service(`    environment: { API_KEY: '${random}' }\n`), '4:29'],
    ['an anchor', 'compose.yaml', `x-e: &e { JWT_SECRET: ${dev} }\n${service('    environment: *e\n')}`, '1:23'],
    ['CRLF', 'compose.yaml', service(`    environment:\r\n      JWT_SECRET: ${dev}\r\n`), '5:19'],
    ['a default', 'compose.yaml', service(`    environment:\n      JWT_SECRET: \${JWT_SECRET:-${dev}}\n`), '5:19'],
    ['a word', 'compose.yaml', service('    environment:\n      ADMIN_PASSWORD: correcthorse\n'), '5:23'],
    ['its own name', 'compose.yaml', service('    environment: { APP_SECRET: app_secret }\n'), '4:32'],
    [
      'build arguments',
      'stack.yml',
      `services:\n  a:\n    build: { context: ., args: { API_KEY: ${random} } }\n`,
      '3:43',
    ],
    ['stringData', 'a.yaml', secret(`stringData:\n  jwt-secret: ${random}\n`), '5:15'],
    ['data', 'a.yaml', secret(`data:\n  signing.key: ${base64(random)}\n`), '5:16'],
    ['a key by the name of its Secret', 'a.yaml', secret('stringData: { password: correcthorse1 }\n'), '4:25'],
    ['a Secret in JSON', 'a.json', `{"kind":"Secret","apiVersion":"v1","stringData":{"apiKey":"${random}"}}`, '1:59'],
    ['a ConfigMap', 'a.yaml', secret(`data:\n  JWT_SECRET: ${dev}\n`, 'ConfigMap'), '5:15'],
    ['a container', 'a.yaml', pod(`        - name: JWT_SECRET\n          value: ${dev}\n`), '9:18'],
    ['a workflow', workflow, `env:\n  API_KEY: ${random}\n${job('')}`, '2:12'],
    ['a job', workflow, job(`    env: { "SIGNING_KEY": "${random}" }\n`), '5:27'],
    ['a step', workflow, step(`run: make\n        env:\n          DEPLOY_TOKEN: ${random}\n`), '8:25'],
    ['an input', workflow, step(`uses: a/b@v1\n        with:\n          password: ${random}\n`), '8:21'],
    [
      'an action',
      'action.yml',
      `runs:\n  using: composite\n  steps:\n    - run: a\n      env: { API_KEY: ${random} }\n`,
      '5:23',
    ],
  ])('R10: a secret as it is (%s in %s) is found once, where it stands', async (_, path, text, at) => {
    const result = await judged('R10', { [path]: text })
    expect(places(result)).toEqual([`${path}:${at} FAIL`])
    for (const each of [random, dev]) expect(JSON.stringify(result.evidence)).not.toContain(each)
  })

  it.each([
    [
      'Dockerfile',
      'ARG NPM_TOKEN\nARG JWT_SECRET=\nFROM a\nENV JWT_SECRET=$JWT_SECRET API_KEY="" TOKEN_URL=https://a/b\n',
    ],
    ['Dockerfile', 'FROM a\nENV GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568 DB_PASSWORD_FILE=/run/secrets/db\n'],
    ['Dockerfile', 'FROM a\nARG NEXT_PUBLIC_API_KEY=abcdef0123456789abcdef01\nENV TOKENIZERS_PARALLELISM=false\n'],
    ['Dockerfile.test', `FROM a\nENV JWT_SECRET=${dev}\n`],
    [
      'compose.yaml',
      service('    environment:\n      - JWT_SECRET\n      - API_KEY=${API_KEY}\n      - A_TOKEN=${A:?no}\n'),
    ],
    ['compose.yaml', service('    environment: { PASSWORD_MIN_LENGTH: 12, API_KEY: "", MFA_SECRET: vault:kv/mfa }\n')],
    ['compose.test.yaml', service(`    environment: { JWT_SECRET: ${dev} }\n`)],
    ['examples/compose.yaml', service(`    environment: { JWT_SECRET: ${dev} }\n`)],
    ['a.yaml', secret('stringData: { password: "${PASSWORD}", username: admin, url: "https://a.example" }\n')],
    ['a.yaml', secret('stringData: { api-key: "ENC[AES256_GCM,data:abc]", token: "<filled in>" }\n')],
    ['a.yaml', secret(`data: { jwt-secret: AgB${random} }\n`, 'SealedSecret')],
    ['a.yaml', pod('        - name: API_KEY\n          valueFrom: { secretKeyRef: { name: a, key: b } }\n')],
    [workflow, job('    services:\n      db:\n        image: a\n        env: { POSTGRES_PASSWORD: postgres }\n')],
    [workflow, job('    env: { JWT_SECRET: test-secret, DB_PASSWORD: Passw0rd123, SECRET_KEY: dummy }\n')],
    [workflow, job('    permissions: { id-token: write }\n    env: { TOKEN: "${{ secrets.T }}" }\n')],
    [workflow, step('uses: actions/cache@v4\n        with: { key: linux-node-20-abcdef, token: none }\n')],
  ])('R10: what is no secret, or not here, is none (%s: %s)', async (path, text) => {
    expect(places(await judged('R10', { [path]: text }))).toEqual([])
  })

  it.each([
    ['Dockerfile', 'FROM a\nARG DB_PASSWORD=postgres\n'],
    ['compose.dev.yaml', service(`    environment: { JWT_SECRET: ${dev} }\n`)],
    ['e2e/compose.yaml', service(`    environment: { JWT_SECRET: ${random} }\n`)],
    [workflow, job(`    services:\n      db: { image: a, env: { DB_PASSWORD: ${random} } }\n`)],
    [workflow, job('    env: { SMTP_PASSWORD: Tr0ub4dor3 }\n')],
  ])('R10: what may be made for this alone is a doubt (%s: %s)', async (path, text) => {
    expect((await judged('R10', { [path]: text })).evidence.map(({ outcome }) => outcome)).toEqual(['WARN'])
  })

  it('R10: one text is one finding, by its form', async () => {
    const token = join('gh', 'p_', random.repeat(2).slice(0, 36))
    const result = await judged('R10', {
      Dockerfile: `FROM a\nENV GITHUB_TOKEN=${token}\n`,
      '.env': `GITHUB_TOKEN=${token}\n`,
      'a.ts': `const githubToken = '${token}'\n`,
    })
    expect(places(result)).toEqual(['.env:1:14 FAIL', 'Dockerfile:2:18 FAIL', 'a.ts:1:22 FAIL'])
  })

  it.each([
    ['ADMIN_PASSWORD', 1],
    ['redisPassword', 1],
    ['REDIS_PASSWORD', 1],
    ['BACKEND_SECRET', 1],
    ['frontendApiKey', 1],
    ['APIKey', 1],
    ['csrf_token', 0],
    ['CSRFToken', 0],
    ['xsrfToken', 0],
    ['isPassword', 0],
    ['min_password', 0],
    ['nextToken', 0],
    ['PUBLIC_API_KEY', 0],
    ['oldPwd', 0],
  ])('R10: %s is the name of a secret: %i', async (name, times) => {
    const { evidence } = await judged('R10', { 'a.py': `${name} = "${random}"\n` })
    expect(evidence).toHaveLength(times)
  })

  it('R10: a compose file that cannot be read is an error', async () => {
    expect((await judged('R10', { 'compose.yaml': 'services: [\n' })).outcome).toBe('ERROR')
  })
})
