import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Portcullis } from '../harness/portcullis.ts'
import { startProcess, type ServerProcess } from '../harness/process.ts'

const password = 'a lantern over water'
const outputs = process.env['PORTCULLIS_TEST_SCREENSHOTS']
let server: ServerProcess
let browser: Browser
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portcullis-people-'))
  server = await startProcess()
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-quic'] })
})
afterAll(async () => {
  await browser.close()
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

async function shot(page: Page, name: string): Promise<void> {
  if (outputs !== undefined) await page.screenshot({ path: join(outputs, `${name}.png`), fullPage: true })
}

/** What the page would not do under its own policy, and whether it is wider than its window. */
function watch(page: Page): readonly string[] {
  const problems: string[] = []
  page.on(
    'console',
    (message) => message.type() === 'error' && !/status of 4\d\d/.test(message.text()) && problems.push(message.text()),
  )
  page.on('pageerror', (error) => problems.push(error.message))
  return problems
}

const fits = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth')

async function open(context: BrowserContext): Promise<{ page: Page; problems: readonly string[] }> {
  const page = await context.newPage()
  return { page, problems: watch(page) }
}

describe('people in a browser', () => {
  it.each([
    ['desktop', { viewport: { width: 1280, height: 800 }, colorScheme: 'light' }],
    ['360 px', { viewport: { width: 360, height: 740 }, colorScheme: 'light' }],
    ['360 px, dark', { viewport: { width: 360, height: 740 }, colorScheme: 'dark' }],
  ] as const)(
    'A8: choose a password, sign in and allow the command line by keyboard alone (%s)',
    async (look, settings) => {
      const name = `person-${look.replaceAll(/\W+/g, '-')}`
      const { body } = await server.call('IdentityService/CreateOperator', { name, role: 'OPERATOR_ROLE_OPERATOR' })
      const context = await browser.newContext(settings)
      const { page, problems } = await open(context)
      const file = look.replaceAll(/\W+/g, '-')

      await page.goto(body.signInUrl)
      await page.getByLabel('New password', { exact: true }).fill(password)
      await page.getByLabel('New password, again').fill('something else entirely')
      await page.keyboard.press('Enter')
      expect(await page.getByRole('alert').textContent()).toContain('not the same')
      // Where the mistake is, there the person goes on.
      expect(await page.evaluate('document.activeElement.id')).toBe('new')
      expect(await fits(page)).toBe(true)
      await shot(page, `${file}-set-password`)
      await page.keyboard.type(password)
      await page.keyboard.press('Tab')
      await page.keyboard.type(password)
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
      expect(await fits(page)).toBe(true)
      await shot(page, `${file}-home`)
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
      await shot(page, `${file}-signed-out`)

      const login = new Portcullis(['login', '--json'], {
        PORTCULLIS_URL: server.url,
        XDG_CONFIG_HOME: join(folder, name),
      })
      await expect.poll(() => login.stderr, { timeout: 60_000 }).toMatch(/^http:.*\n/m)
      await page.goto(/^http:\S+/m.exec(login.stderr)?.[0] ?? '')
      // The name has the focus; the order is name, password, tenant, button.
      await expect
        .poll(() => page.evaluate('document.activeElement.id'))
        .toBe(await page.getByLabel('Name').getAttribute('id'))
      await page.keyboard.type(name)
      await page.keyboard.press('Tab')
      await page.keyboard.type('not the password')
      await page.keyboard.press('Enter')
      expect(await page.getByRole('alert').textContent()).toContain('wrong')
      expect(await page.getByLabel('Name').inputValue()).toBe(name)
      expect(await page.getByLabel('Password').inputValue()).toBe('')
      expect(await fits(page)).toBe(true)
      await shot(page, `${file}-sign-in`)
      await page.keyboard.type(password)
      await page.keyboard.press('Tab')
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Sign in')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Allow Portcullis command line?' }).waitFor()
      expect(await fits(page)).toBe(true)
      await shot(page, `${file}-consent`)
      expect(await page.evaluate('[document.cookie, localStorage.length, sessionStorage.length].join()')).toBe(',0,0')
      await page.getByRole('button', { name: 'Allow' }).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'Signed in' }).waitFor()
      await shot(page, `${file}-callback`)
      const exit = await login.exited
      expect([exit.code, JSON.parse(exit.stdout).scopes.includes('tasks:write')]).toEqual([0, true])
      expect(problems).toEqual([])
      await context.close()
    },
  )

  it('A8: the cookie of a session is out of reach of scripts and other sites', async () => {
    const { body } = await server.call('IdentityService/CreateOperator', {
      name: 'cookie',
      role: 'OPERATOR_ROLE_VIEWER',
    })
    const context = await browser.newContext()
    const { page } = await open(context)
    await page.goto(body.signInUrl)
    await page.getByLabel('New password', { exact: true }).fill(password)
    await page.getByLabel('New password, again').fill(password)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
    const cookies = await context.cookies()
    const session = cookies.find((cookie) => cookie.name === 'portcullis_session')
    expect(session).toMatchObject({ httpOnly: true, secure: true, sameSite: 'Lax', path: '/' })
    await context.close()
  })
})
