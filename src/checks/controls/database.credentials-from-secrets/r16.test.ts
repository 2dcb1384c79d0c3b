import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const compose = (text: string): Record<string, string> => ({
  'compose.yaml': `services:\n  db:\n    image: postgres:17\n${text}`,
})
const container = (env: string): Record<string, string> => ({
  'pod.yaml': `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: a\n      env:\n${env}`,
})

describe('R16', () => {
  it.each([
    [
      'the file of a secret',
      '    environment:\n      POSTGRES_PASSWORD_FILE: /run/secrets/db\n      POSTGRES_USER: app\n',
    ],
    [
      'an address without a password',
      '    environment:\n      DATABASE_URL: postgres://app@db/app?sslmode=verify-full\n',
    ],
    ['an address of something else', '    environment:\n      - HOOK_URL=https://user:token@example.test/\n'],
    ['no environment', '    restart: always\n'],
    ['a password that is demanded', '    environment:\n      MYSQL_ALLOW_EMPTY_PASSWORD: "no"\n'],
  ])('R16: holds (%s)', async (_, text) => {
    expect((await judged('R16', compose(text))).outcome).toBe('PASS')
  })

  it.each([
    ['block style', '    environment:\n      POSTGRES_PASSWORD: hunter2\n', '5:26 FAIL'],
    ['flow style', '    environment: { POSTGRES_PASSWORD: hunter2 }\n', '4:39 FAIL'],
    ['quoted', '    "environment":\n      "POSTGRES_PASSWORD": "hunter2"\n', '5:28 FAIL'],
    ['CRLF', '    environment:\r\n      POSTGRES_PASSWORD: hunter2\r\n', '5:26 FAIL'],
    [
      'anchored',
      '    environment: &env\n      POSTGRES_PASSWORD: hunter2\n  other:\n    image: a\n    environment: *env\n',
      '5:26 FAIL',
    ],
    ['as a list', '    environment:\n      - POSTGRES_PASSWORD=hunter2\n', '5:27 FAIL'],
    ['an address', '    environment:\n      DATABASE_URL: postgresql+asyncpg://app:hunter2@db/app\n', '5:21 FAIL'],
    ['a keyed address', '    environment:\n      - DB_DSN=host=db user=app password=hunter2\n', '5:16 FAIL'],
    ['a default', '    environment:\n      POSTGRES_PASSWORD: ${PW:-hunter2}\n', '5:26 FAIL'],
    ['a default within an address', '    environment:\n      A_URL: redis://:${PW:-hunter2}@redis\n', '5:14 FAIL'],
    [
      'an address as default',
      '    environment:\n      DATABASE_URL: ${DATABASE_URL:-postgres://a:hunter2@db/a}\n',
      '5:21 FAIL',
    ],
    ['nobody needs one', '    environment:\n      POSTGRES_HOST_AUTH_METHOD: trust\n', '5:34 FAIL'],
    ['an argument', '    command: redis-server --requirepass hunter2\n', '4:14 FAIL'],
    ['the environment', '    environment:\n      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}\n', '5:26 WARN'],
    ['the environment, unnamed', '    environment:\n      - POSTGRES_PASSWORD\n', '5:9 WARN'],
    [
      'the environment within an address',
      '    environment:\n      DATABASE_URL: postgres://app:${PW}@db/app\n',
      '5:21 WARN',
    ],
    ['a file that is not here', '    env_file: .env.db\n', '4:15 WARN'],
  ])('R16: is broken, or visible (%s)', async (_, text, place) => {
    expect(places(await judged('R16', compose(text)))).toEqual([`compose.yaml:${place}`])
  })

  it('R16: files that the service names are looked at', async () => {
    const env = { ...compose('    env_file: [./db.env]\n'), 'db.env': 'POSTGRES_USER=app\nPOSTGRES_PASSWORD=hunter2\n' }
    expect(places(await judged('R16', env))).toEqual(['db.env:2:19 FAIL'])
    const dotenv = { ...compose('    environment:\n      POSTGRES_PASSWORD: $PW\n'), '.env': 'PW=hunter2\n' }
    expect((await judged('R16', dotenv)).outcome).toBe('FAIL')
    const secret = { ...compose('    secrets: [pw]\nsecrets:\n  pw:\n    file: ./pw.txt\n'), 'pw.txt': 'hunter2' }
    expect(places(await judged('R16', secret))).toEqual(['compose.yaml:7:11 FAIL'])
  })

  it('R16: no finding says the password', async () => {
    const result = await judged('R16', compose('    environment:\n      POSTGRES_PASSWORD: hunter2\n'))
    expect(result.evidence.map(({ detail }) => detail).join()).not.toContain('hunter2')
  })

  it.each([
    ['a value', '        - { name: DB_PASSWORD, value: hunter2 }\n', ['pod.yaml:7:39 FAIL']],
    ['a secret', '        - name: DB_PASSWORD\n          valueFrom: { secretKeyRef: { name: a, key: b } }\n', []],
    [
      'a ConfigMap',
      '        - name: DB_PASSWORD\n          valueFrom: { configMapKeyRef: { name: a, key: b } }\n',
      ['pod.yaml:8:41 FAIL'],
    ],
    ['another variable', '        - { name: DATABASE_URL, value: "postgres://a:$(PW)@db/a" }\n', []],
  ])('R16: a container (%s)', async (_, env, found) => {
    expect(places(await judged('R16', container(env)))).toEqual(found)
  })

  it('R16: a ConfigMap is no secret', async () => {
    const files = { 'c.yaml': 'apiVersion: v1\nkind: ConfigMap\ndata:\n  POSTGRES_PASSWORD: hunter2\n' }
    expect(places(await judged('R16', files))).toEqual(['c.yaml:4:22 FAIL'])
  })

  it('R16: the name of a database is no credential', async () => {
    const text = '    environment:\n      POSTGRES_DB: ${DB_DATABASE_NAME}\n      MYSQL_DATABASE: ${DB_NAME}\n'
    expect((await judged('R16', compose(text))).outcome).toBe('PASS')
  })

  const secret = (rest: string) => ({
    'k8s/s.yaml': `apiVersion: v1\nkind: Secret\nmetadata: { name: shop-db }\n${rest}`,
  })
  it.each([
    ['as text', 'stringData:\n  password: hunter2hunter2\n', ['k8s/s.yaml:5:13 FAIL']],
    ['in base64', 'data:\n  POSTGRES_PASSWORD: aHVudGVyMg==\n', ['k8s/s.yaml:5:22 FAIL']],
    ['within an address', 'stringData: { DATABASE_URL: "postgres://a:hunter2@db/a" }\n', ['k8s/s.yaml:4:29 FAIL']],
    ['encrypted by SOPS', 'stringData:\n  password: ENC[AES256_GCM,data:x]\n', []],
    ['a template', 'stringData:\n  password: "{{ .Values.password }}"\n  db-password: ${DB_PASSWORD}\n', []],
    ['a place to fill in', 'stringData:\n  password: <your password>\n', []],
    ['a user and a host', 'stringData:\n  username: shop\n  host: db\n', []],
  ])('R16: a Secret of Kubernetes in the repository is none: %s', async (_, rest, found) => {
    expect(places(await judged('R16', secret(rest)))).toEqual(found)
  })

  it('R16: what cannot be read is said', async () => {
    expect((await judged('R16', { 'compose.yaml': 'services: [\n' })).outcome).toBe('ERROR')
    expect((await judged('R16', { 'README.md': 'x' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R16: a password that the entrypoint is given is one too', async () => {
    const cache = 'services:\n  cache:\n    image: redis\n    entrypoint: [redis-server, --requirepass, hunter]\n'
    expect((await judged('R16', { 'compose.yml': cache })).outcome).toBe('FAIL')
  })
})
