import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'

const page = (title: string, text: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><title>${title}</title></head><body><main><h1>${title}</h1><p>${text}</p></main></body></html>`

const headers = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  connection: 'close',
}

/** Where a browser comes back to after a sign-in: a listener on this machine, for one answer (RFC 8252, section 7.3). */
export class Callback {
  readonly #server: Server
  readonly redirectUri: string
  readonly #answer: Promise<URLSearchParams>

  private constructor(server: Server, port: number, answer: Promise<URLSearchParams>) {
    this.#server = server
    this.#answer = answer
    this.redirectUri = `http://127.0.0.1:${port}/callback`
  }

  /** `accepts` says whether an answer is the one that is waited for; others are turned away, and it goes on waiting. */
  static async open(accepts: (answer: URLSearchParams) => boolean): Promise<Callback> {
    const { createServer } = await import('node:http')
    let answered: (answer: URLSearchParams) => void = () => undefined
    const answer = new Promise<URLSearchParams>((resolve) => (answered = resolve))
    const server = createServer({ maxHeaderSize: 16_384, requestTimeout: 5000 }, (request, response) => {
      const given = answerOf(request)
      if (given === undefined) return send(response, 404, 'Nothing here', 'This address waits for one sign-in.')
      if (!accepts(given)) return send(response, 400, 'Not this sign-in', 'It did not begin in this terminal.')
      const good = given.get('error') === null
      send(response, 200, good ? 'Signed in' : 'Not signed in', 'Go back to the terminal; this page can be closed.')
      return answered(given)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    return new Callback(server, typeof address === 'object' && address !== null ? address.port : 0, answer)
  }

  /** The answer, or undefined where none came in time. */
  async wait(forMs: number): Promise<URLSearchParams | undefined> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), forMs)))
    const answer = await Promise.race([this.#answer, late])
    clearTimeout(timer)
    return answer
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }
}

/** Every parameter at most once: whoever sends two of one means something else. */
function answerOf({ method, url = '' }: IncomingMessage): URLSearchParams | undefined {
  const address = URL.parse(url, 'http://127.0.0.1')
  if (method !== 'GET' || address?.pathname !== '/callback') return undefined
  const names = [...address.searchParams.keys()]
  return new Set(names).size === names.length ? address.searchParams : undefined
}

function send(response: ServerResponse, status: number, title: string, text: string): void {
  response.writeHead(status, headers).end(page(title, text))
}
