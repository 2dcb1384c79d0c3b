import { HttpTarget, reply, type Answer } from './http-target.ts'

interface Kept {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** As much of S3 as the sink uses: conditional puts, gets, listings by prefix. It checks no signatures. */
export class FakeObjectStore {
  readonly objects = new Map<string, Kept>()
  listings = 0
  readonly #bucket: string

  constructor(bucket: string) {
    this.#bucket = bucket
  }

  answer: Answer = (response, request) => {
    const { pathname, searchParams } = new URL(request.url, 'http://store')
    const key = decodeURIComponent(pathname).slice(this.#bucket.length + 2)
    if (!request.headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=key-of-the-test/')) {
      return error(403, 'SignatureDoesNotMatch')(response, request)
    }
    if (request.method === 'PUT') {
      const there = this.objects.has(key)
      if (there && request.headers['if-none-match'] === '*') return error(412, 'PreconditionFailed')(response, request)
      this.objects.set(key, { body: request.body, headers: request.headers })
      return reply(200, '', { etag: '"1"' })(response, request)
    }
    if (key === '') return this.#list(searchParams)(response, request)
    const kept = this.objects.get(key)
    if (kept === undefined) return error(404, 'NoSuchKey')(response, request)
    response.writeHead(200, { 'content-length': kept.body.length, etag: '"1"' }).end(kept.body)
  }

  #list(asked: URLSearchParams): Answer {
    this.listings += 1
    const [prefix, after] = [asked.get('prefix') ?? '', asked.get('start-after') ?? '']
    const max = Number(asked.get('max-keys') ?? 1000)
    const fitting = [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix) && key > after && !key.slice(prefix.length).includes('/'))
      .toSorted()
    const keys = fitting.slice(0, max)
    const contents = keys.map((key) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`).join('')
    const head = `<Name>${this.#bucket}</Name><KeyCount>${keys.length}</KeyCount>`
    const cut = `<IsTruncated>${String(fitting.length > max)}</IsTruncated>`
    return reply(200, `<?xml version="1.0"?><ListBucketResult>${head}${cut}${contents}</ListBucketResult>`, {
      'content-type': 'application/xml',
    })
  }
}

export function error(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no</Message></Error>`
  return reply(status, body, { 'content-type': 'application/xml', ...headers })
}

export async function startObjectStore(bucket: string): Promise<{ store: FakeObjectStore; target: HttpTarget }> {
  const store = new FakeObjectStore(bucket)
  return { store, target: await HttpTarget.start((response, request) => store.answer(response, request)) }
}
