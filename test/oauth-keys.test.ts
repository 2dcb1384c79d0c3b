import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rotateTokenKeys } from '#server'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { basic, makeApp, post, token, type TestApp } from './harness/oauth.ts'

const settings = { PORTCULLIS__OAUTH__KEYS__PUBLISH_AHEAD: '1s' }
let instance: TestInstance
let app: TestApp

beforeAll(async () => {
  instance = await startInstance(settings)
  app = await makeApp(instance, { name: 'worker' })
})

afterAll(async () => instance.stop())

const alone = { grant_type: 'client_credentials' }

async function kids(): Promise<readonly string[]> {
  const { keys } = (await (await fetch(`${instance.url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}

function headerOf(jwt: string): { readonly kid: string } {
  return JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString())
}

function kidOf(jwt: string): string {
  return headerOf(jwt).kid
}

async function until(done: () => Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 10_000
  while (!(await done())) if (performance.now() > giveUpAt) throw new Error('it did not become so in 10 s')
}

describe('other algorithms', () => {
  it.each(['RS256', 'PS256'])('A2: tokens are signed with %s where the settings say so', async (algorithm) => {
    const other = await startInstance({ PORTCULLIS__OAUTH__KEYS__ALGORITHM: algorithm })
    try {
      const worker = await makeApp(other, { name: 'worker' })
      const { body } = await token(other.url, worker, alone)
      expect(headerOf(body.access_token)).toMatchObject({ alg: algorithm, typ: 'at+jwt' })
      expect((await other.call('HubService/ListTasks', {}, { key: body.access_token })).status).toBe(200)
    } finally {
      await other.stop()
    }
  })
})

describe('the keys of tokens', () => {
  it('A2: rotate while it runs: the next one is published, then signs, and tokens of the last one stay good', async () => {
    const [first] = await kids()
    const before = await token(instance.url, app, alone)
    expect(kidOf(before.body.access_token)).toBe(first)
    const report = await rotateTokenKeys({ dir: instance.dir, env: settings })
    expect(report).toEqual({ algorithm: 'ES256', signsInSeconds: 1 })
    await until(async () => (await kids()).length === 2)
    const second = (await kids()).find((kid) => kid !== first) ?? ''
    await until(async () => kidOf((await token(instance.url, app, alone)).body.access_token) === second)
    expect(new Set(await kids())).toEqual(new Set([first, second]))
    expect((await instance.call('HubService/ListTasks', {}, { key: before.body.access_token })).status).toBe(200)
    const said = await post(instance.url, '/v1/oauth/introspect', { token: before.body.access_token }, basic(app))
    expect(said.body.active).toBe(true)
  })

  it('A2: are stored under the master key, and the ledger names them', async () => {
    const admin = await instance.connect('postgres')
    const { rows } = await admin.query<{ text: string; envelope: Buffer }>(
      'select k::text as text, k.envelope from portcullis.oauth_keys k',
    )
    expect(rows).toHaveLength(2)
    for (const { text } of rows) expect(text).not.toMatch(/"d"/)
    const entries = await admin.query<{ entry: Buffer }>(
      `select entry from audits.entries where action = 'token_key.made'`,
    )
    expect(entries.rows).toHaveLength(2)
    await admin.end()
  })
})
