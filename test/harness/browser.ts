/** A browser as far as forms and cookies go: it keeps cookies, sends `Origin`, and follows redirects only where it is told to. */
export class Browser {
  readonly #origin: string
  readonly #cookies = new Map<string, string>()

  constructor(origin: string) {
    this.#origin = origin
  }

  /** The value of a cookie, as nobody but the browser has it. */
  cookie(name: string): string | undefined {
    return this.#cookies.get(name)
  }

  setCookie(name: string, value: string): void {
    this.#cookies.set(name, value)
  }

  get(path: string): Promise<Page> {
    return this.#send(path, { method: 'GET' })
  }

  /** Sends the form of a page, with what it holds already. `headers` stand in for those of the browser. */
  async submit(
    page: Page,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Page> {
    const [, action = ''] = /<form method="post" action="([^"]+)"/.exec(page.text) ?? []
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(
      ([, name = '', value = '']): [string, string] => [name, value],
    )
    return this.post(action, { ...Object.fromEntries(hidden), ...fields }, headers)
  }

  post(
    path: string,
    fields: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Page> {
    const body = new URLSearchParams(fields).toString()
    return this.#send(path, {
      method: 'POST',
      body,
      headers: { origin: this.#origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })
  }

  /** Goes on from page to page for as long as they lead on within this server. */
  async follow(page: Page): Promise<Page> {
    let current = page
    for (let hop = 0; hop < 10; hop += 1) {
      const { location } = current
      if (location === undefined || new URL(location, this.#origin).origin !== this.#origin) return current
      current = await this.get(location)
    }
    throw new Error('ten redirects, and no end')
  }

  async #send(
    path: string,
    { headers, ...init }: Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<Page> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const url = new URL(path, this.#origin)
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...headers, ...(cookie === '' ? {} : { cookie }) },
      signal: AbortSignal.timeout(30_000),
    })
    const set = response.headers.getSetCookie()
    for (const text of set) {
      const [pair = ''] = text.split(';', 1)
      const at = pair.indexOf('=')
      const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
      if (value === '' || /max-age=0\b/i.test(text)) this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return {
      status: response.status,
      location: response.headers.get('location') ?? undefined,
      headers: response.headers,
      set,
      text: await response.text(),
    }
  }
}

export interface Page {
  readonly status: number
  readonly location: string | undefined
  readonly headers: Headers
  /** Each `Set-Cookie`, whole. */
  readonly set: readonly string[]
  readonly text: string
}
