import { spawn } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInstance, type TestInstance } from './harness/instance.ts'

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

describe('the tour of the README', () => {
  let instance: TestInstance
  beforeAll(async () => {
    instance = await startInstance()
  })
  afterAll(() => instance.stop())

  it('M1: every command works as it stands, and shows what the text says', async () => {
    const steps = fenced(section('A five-minute tour'), 'sh')
    expect(steps.length).toBeGreaterThan(6)
    const script = steps.map((step, index) => `echo "== step ${index}"\n${step}`).join('\n')
    const { code, out, err } = await bash(script, { PORTCULLIS_URL: instance.url, PORTCULLIS_KEY: instance.adminKey })
    expect(code, `${out}\n${err}`).toBe(0)
    const [, health, , recorded, repeated, denied, ledger, revoked] = out.split(/^== step \d+$/m)
    expect(health).toContain('"status":"ok"')
    expect(recorded).toContain('"attempt":{"id":"att_')
    expect(repeated).toMatch(/^idempotency-replayed: true\r?$/m)
    expect(repeated).toContain(/"id":"att_[^"]+"/.exec(recorded ?? '')?.[0])
    expect(repeated).toContain('"status":"TASK_STATE_COMPLETED"')
    expect(repeated).toContain('"totalAttempts":"1"')
    expect(denied).toMatch(/^HTTP\/1\.1 403 /m)
    expect(denied).toContain('"detail":"identity:read","code":"auth.scope_missing","requestId":"req_')
    expect(denied).not.toContain('not held')
    expect(ledger).toMatch(/allow +- +HubService\/StartRun /)
    expect(ledger).toMatch(/deny +auth\.scope_missing +IdentityService\/ListKeys .* scope identity:read not held/)
    expect(revoked).toMatch(/^HTTP\/1\.1 401 /m)
    expect(revoked).toContain('"code":"auth.credential_invalid"')
    expect(revoked).toMatch(/deny +auth\.credential_invalid +HubService\/ListRuns .* revoked$/m)
  })
})

describe('the pages of the repository', () => {
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root })

  it('M2: the commands of the set-up are scripts of package.json', () => {
    const { scripts } = JSON.parse(read('package.json'))
    const [commands = ''] = fenced(section('Set-up'), 'text')
    expect(commands.trim().split('\n')).toEqual(['npm ci', 'npm start'])
    expect(scripts).toMatchObject({ start: 'node bin/portcullis.js up', test: expect.stringContaining('vitest run') })
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
