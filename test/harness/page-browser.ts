import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'

/** Debian's Chromium, driven: for pages with forms. Nothing is downloaded, and each person has cookies of their own. */
export class PageBrowser {
  readonly #browser: Browser

  private constructor(browser: Browser) {
    this.#browser = browser
  }

  static async open(): Promise<PageBrowser> {
    const args = ['--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync']
    // The sandbox needs rights that a container or root does not have.
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', chromiumSandbox: false, args })
    return new PageBrowser(browser)
  }

  person(): Promise<BrowserContext> {
    return this.#browser.newContext()
  }

  close(): Promise<void> {
    return this.#browser.close()
  }
}

/** Where an app takes its codes. */
export class Callback {
  readonly #server: Server
  readonly url: string

  private constructor(server: Server) {
    this.#server = server
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  }

  static async open(): Promise<Callback> {
    const server = createServer((_request, response) => response.end('<title>back at the app</title>'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Callback(server)
  }

  /** Where the browser came back to, with what it was given. */
  async reached(page: Page): Promise<URL> {
    await page.waitForURL((url) => url.href.startsWith(this.url))
    return new URL(page.url())
  }

  close(): Promise<void> {
    this.#server.closeAllConnections()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }
}
