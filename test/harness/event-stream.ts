export interface StreamedEvent {
  readonly id: string
  readonly event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the server says
  readonly data: any
}

/** A client of server-sent events that keeps all it hears. */
export class EventStream {
  readonly status: number
  readonly headers: Headers
  readonly heard: StreamedEvent[] = []
  /** The id that a browser would come back with. */
  lastId = ''
  #ended = false
  readonly #abort: AbortController
  readonly #waiting = new Set<() => void>()
  readonly done: Promise<void>

  private constructor(response: Response, abort: AbortController) {
    this.status = response.status
    this.headers = response.headers
    this.#abort = abort
    this.done = this.#read(response).catch(() => undefined)
  }

  static async open(url: string, headers: Readonly<Record<string, string>>): Promise<EventStream> {
    const abort = new AbortController()
    return new EventStream(await fetch(url, { headers, signal: abort.signal }), abort)
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Resolves once that holds; rejects where it does not in time. */
  async until(holds: (stream: this) => boolean, withinMs = 5000): Promise<void> {
    const deadline = AbortSignal.timeout(withinMs)
    while (!holds(this)) {
      deadline.throwIfAborted()
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve)
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
      this.#waiting.clear()
    }
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.done
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    try {
      for await (const bytes of response.body ?? []) {
        rest += decoder.decode(bytes, { stream: true })
        const blocks = rest.split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) this.#take(block)
        this.#wake()
      }
    } finally {
      this.#ended = true
      this.#wake()
    }
  }

  #take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line): [string, string] => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon), line.slice(colon + 1).trimStart()]
      }),
    )
    this.lastId = fields.get('id') ?? this.lastId
    const data = fields.get('data')
    if (data !== undefined)
      this.heard.push({ id: this.lastId, event: fields.get('event') ?? 'message', data: JSON.parse(data) })
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
  }
}
