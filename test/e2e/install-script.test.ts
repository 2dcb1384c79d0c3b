import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const script = join(import.meta.dirname, '../../install.sh')
const version = '9.9.9'
const archive = `portcullis-${version}-linux-${process.arch}.tar.gz`
const token = `ghp_${'0123456789'.repeat(3)}abcdef`

let work: string
let server: Server
let origin: string
/** What the server answers, by path; the scopes that it says the token has. */
let files: Map<string, Buffer>
let scopes: string
let asked: { readonly path: string; readonly authorization: string | undefined }[]

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'install-'))
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(work, 'key')])
  const [kind, key] = readFileSync(join(work, 'key.pub'), 'utf8').split(' ')
  writeFileSync(join(work, 'signers'), `release ${kind} ${key}\n`)
  const folder = join(work, `portcullis-${version}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'portcullis'), `#!/bin/sh\necho ${version}\n`)
  chmodSync(join(folder, 'portcullis'), 0o755)
  execFileSync('tar', ['-czf', join(work, archive), '-C', work, `portcullis-${version}`])
  // Writes down what it is started with, as every user of the machine could.
  mkdirSync(join(work, 'spy'))
  const curl = execFileSync('sh', ['-c', 'command -v curl'], { encoding: 'utf8' }).trim()
  writeFileSync(
    join(work, 'spy/curl'),
    `#!/bin/sh\nprintf '%s\\n' "$*" >>'${join(work, 'arguments')}'\nexec ${curl} "$@"\n`,
  )
  chmodSync(join(work, 'spy/curl'), 0o755)
  server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({ path, authorization: request.headers.authorization })
    if (path === '/user') {
      response.writeHead(200, { 'x-oauth-scopes': scopes }).end('{}')
      return
    }
    const file = files.get(path)
    if (file === undefined) response.writeHead(404).end()
    else response.writeHead(200).end(file)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  origin = `http://127.0.0.1:${address.port}`
})

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve))
  rmSync(work, { recursive: true })
})

beforeEach(() => {
  asked = []
  scopes = ''
  rmSync(join(work, 'home'), { recursive: true, force: true })
  rmSync(join(work, 'arguments'), { force: true })
  const content = readFileSync(join(work, archive))
  files = release(content, createHash('sha256').update(content).digest('hex'))
})

describe('install.sh', () => {
  it('O9: without a token says so, sends none, and installs', async () => {
    const { code, stdout, stderr } = await install({})
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toContain('INFO  GITHUB_TOKEN is not set, and none is needed.')
    expect(stdout).toContain(`INFO  Installed ${version}`)
    expect(asked.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined])
    expect(execFileSync(join(work, 'home/.local/bin/portcullis'), { encoding: 'utf8' })).toBe(`${version}\n`)
  })

  it('O9: asks for the latest release where no version is named', async () => {
    files.set('/repos/portcullis/portcullis/releases/latest', Buffer.from(`{"tag_name": "v${version}"}`))
    expect(await install({ PORTCULLIS_VERSION: '' })).toMatchObject({ code: 0 })
  })

  it('O9, O10: warns of a token that may do too much, uses it, and never as an argument', async () => {
    scopes = 'repo, admin:org, gist'
    const { code, stderr, stdout } = await install({ GITHUB_TOKEN: token })
    expect(code).toBe(0)
    expect(stderr).toMatch(/^WARN {2}GITHUB_TOKEN may do far more than this needs \(repo admin:org\)\./)
    expect(stderr).toContain('contents: read')
    expect(asked[0]?.path).toBe('/user')
    expect(new Set(asked.map(({ authorization }) => authorization))).toEqual(new Set([`Bearer ${token}`]))
    const seen = readFileSync(join(work, 'arguments'), 'utf8')
    expect(seen).toContain('/user')
    expect(`${seen}${stdout}${stderr}`).not.toContain(token)
  })

  it('O9: a token that may only read is used without a word', async () => {
    scopes = 'public_repo'
    expect(await install({ GITHUB_TOKEN: token })).toMatchObject({ code: 0, stderr: '' })
  })

  it('O9: what is no token never reaches curl', async () => {
    const { code, stderr } = await install({ GITHUB_TOKEN: 'x"\nurl = "http://127.0.0.1:1/' })
    expect(code).toBe(1)
    expect(stderr).toContain('to do:')
    expect(asked).toEqual([])
  })

  it('O9, O10: a wrong checksum fails and installs nothing', async () => {
    files = release(readFileSync(join(work, archive)), '0'.repeat(64))
    const { code, stderr } = await install({})
    expect(code).toBe(1)
    expect(stderr).toContain(`The checksum of ${archive} is wrong. Nothing was installed.`)
    expect(existsSync(join(work, 'home/.local'))).toBe(false)
  })

  it('O9: checksums that somebody else signed fail', async () => {
    const other = join(work, 'other')
    rmSync(other, { force: true })
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const content = readFileSync(join(work, archive))
    files = release(content, createHash('sha256').update(content).digest('hex'), other)
    const { code, stderr } = await install({})
    expect(code).toBe(1)
    expect(stderr).toContain('The signature of checksums.txt is wrong. Nothing was installed.')
    expect(existsSync(join(work, 'home/.local'))).toBe(false)
  })

  it('O9: a release that is not there, and a version that is none, are said', async () => {
    expect((await install({ PORTCULLIS_VERSION: '1.0.0' })).stderr).toContain('of release 1.0.0 could not be fetched')
    expect((await install({ PORTCULLIS_VERSION: '../x' })).stderr).toContain('That is no version.')
  })

  it('O9: without anybody who signs, nothing is installed', async () => {
    const { code, stderr } = await install({ PORTCULLIS_SIGNERS: '' })
    expect(code).toBe(1)
    expect(stderr).toContain('This script knows nobody who signs releases.')
  })
})

/** The files of a release whose checksums say `digest`, signed. */
function release(content: Buffer, digest: string, key = join(work, 'key')): Map<string, Buffer> {
  const checksums = `${digest}  ${archive}\n`
  const signature = execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', 'portcullis-release'], {
    input: checksums,
  })
  const base = `/v${version}`
  return new Map([
    [`${base}/${archive}`, content],
    [`${base}/checksums.txt`, Buffer.from(checksums)],
    [`${base}/checksums.txt.sig`, signature],
  ])
}

async function install(
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn('sh', [script], {
    env: {
      HOME: join(work, 'home'),
      PATH: `${join(work, 'spy')}:${process.env['PATH']}`,
      PORTCULLIS_API: origin,
      PORTCULLIS_DOWNLOADS: origin,
      PORTCULLIS_SIGNERS: join(work, 'signers'),
      PORTCULLIS_VERSION: version,
      ...env,
    },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, stdout, stderr }
}
