import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chromium } from '../harness/chromium.ts'
import { startProcess, type ServerProcess } from '../harness/process.ts'
import { run } from '../harness/run.ts'

const policy =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

describe('the console sign-in link', () => {
  let server: ServerProcess
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-sign-in-'))
    server = await startProcess()
  })
  afterAll(async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const recover = async (): Promise<{ readonly adminKey: string; readonly signInPath: string }> =>
    JSON.parse((await server.cli(['admin', 'recover', '--dir', server.dir, '--json'])).stdout)

  it('M1: signs curl in once, recorded; the session lives in a cookie that scripts and other sites do not get', async () => {
    const link = server.ready.consoleUrl ?? ''
    const jar = join(folder, 'cookies')
    const curl = (...args: readonly string[]): Promise<string> =>
      run('curl', ['-sS', '-i', '--max-time', '20', ...args])

    const first = await curl('-c', jar, link)
    expect(first).toMatch(/^HTTP\/1\.1 303 /)
    expect(first).toMatch(/^location: \/\r$/im)
    const cookie = /^set-cookie: (.*)\r$/im.exec(first)?.[1] ?? ''
    expect(cookie).toMatch(/^portcullis_session=[A-Za-z0-9_-]{43}; /)
    expect(cookie.split('; ').slice(1).toSorted()).toEqual([
      'HttpOnly',
      'Max-Age=43200',
      'Path=/',
      'SameSite=Lax',
      'Secure',
    ])

    const page = await curl('-b', jar, `${server.url}/`)
    expect(page).toContain('<h1>You are signed in</h1>')
    expectSafe(page)
    expect(page).not.toMatch(/pc_|code=/)

    const second = await curl('-b', join(folder, 'none'), link)
    expect(second).toMatch(/^HTTP\/1\.1 403 /)
    expect(second).not.toMatch(/set-cookie/i)
    expectSafe(second)
    expect(await curl(`${server.url}/`)).toContain('You are not signed in')

    // The sign-in and the attempt with a spent link are in the ledger, without the code.
    const tail = await server.cli(['ledger', 'tail', '--log', 'system', '--action', 'console.signed_in', '--json'])
    const bodies = JSON.parse(tail.stdout).entries.map(
      ({ entryJson }: { entryJson: string }) => JSON.parse(entryJson).body,
    )
    expect(bodies).toMatchObject([
      { outcome: 'allow', caller: { kind: 'operator' } },
      { outcome: 'deny', code: 'auth.credential_invalid', reason: 'sign-in code unknown, used or expired' },
    ])
    expect(tail.stdout).not.toContain(new URL(link).searchParams.get('code') ?? link)
  })

  it('M1: signs Chromium in once; admin recover gives the next link', async () => {
    const browser = await Chromium.fresh()
    const stranger = await Chromium.fresh()
    try {
      const link = `${server.url}${(await recover()).signInPath}`
      const signedIn = await browser.dom(link)
      expect(signedIn).toContain('<h1>You are signed in</h1>')
      expect(signedIn).toContain('<dd>admin</dd>')
      expect(signedIn).not.toContain('<script')
      // The same browser stays signed in; nobody else gets in with the same link.
      expect(await browser.dom(`${server.url}/`)).toContain('<h1>You are signed in</h1>')
      expect(await stranger.dom(link)).toContain('This sign-in link is not good any more')
      expect(await stranger.dom(`${server.url}/`)).toContain('You are not signed in')
    } finally {
      await Promise.all([browser.close(), stranger.close()])
    }
  })

  it('U5: the pages are painted by their own style sheet, light and dark, at 360 px', async () => {
    const browser = await Chromium.fresh()
    try {
      const [light, dark] = [join(folder, 'light.png'), join(folder, 'dark.png')]
      const url = `${server.url}/problems/idempotency.payload_mismatch`
      await browser.screenshot(url, light, { width: 360, height: 800 })
      await browser.screenshot(url, dark, { width: 360, height: 800, dark: true })
      // The paper of page.ts, which shows only where the policy lets the style sheet in.
      expect(await corner(light)).toEqual({ width: 360, colour: 'fcfcfd' })
      expect(await corner(dark)).toEqual({ width: 360, colour: '111113' })
    } finally {
      await browser.close()
    }
  })
})

function expectSafe(answer: string): void {
  expect(answer).toMatch(/^cache-control: no-store\r$/im)
  expect(/^content-security-policy: (.*)\r$/im.exec(answer)?.[1]).toBe(policy)
  expect(answer).toMatch(/^referrer-policy: (?:no-referrer|strict-origin)\r$/im)
  expect(answer).not.toMatch(/<script|\son\w+=|javascript:/i)
}

/** Width of an 8-bit RGB or RGBA PNG and the colour of its first pixel, which no filter of a first row can change. */
async function corner(file: string): Promise<{ readonly width: number; readonly colour: string }> {
  const png = await readFile(file)
  const parts: Buffer[] = []
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)))
  }
  return { width: png.readUInt32BE(16), colour: inflateSync(Buffer.concat(parts)).toString('hex', 1, 4) }
}
