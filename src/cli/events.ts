export interface ServerEvent {
  /** `message` where the server named none. */
  readonly event: string
  readonly data: string
}

// Far beyond any message; what goes on without an end is no stream of ours.
const blockCharsMax = 1024 * 1024

/** Server-sent events out of bytes; comments are left out. */
export async function* readEvents(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<ServerEvent, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true })
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    if (rest.length > blockCharsMax) throw new Error('an event without an end')
    for (const block of blocks) {
      const event = eventOf(block)
      if (event !== undefined) yield event
    }
  }
}

function eventOf(block: string): ServerEvent | undefined {
  let event = 'message'
  let data: string | undefined
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon <= 0) continue
    const value = line.slice(colon + 1).replace(/^ /, '')
    if (line.startsWith('event:')) event = value
    if (line.startsWith('data:')) data = data === undefined ? value : `${data}\n${value}`
  }
  return data === undefined ? undefined : { event, data }
}
