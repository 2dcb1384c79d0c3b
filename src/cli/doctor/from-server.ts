import { readBounded } from '../bounded-read.ts'
import { fine, unknown, wrong, type Finding } from './ailments.ts'
import { fromMetrics } from './from-metrics.ts'
import { Samples } from './samples.ts'

const deadlineMs = 5000
const pageBytesMax = 8 * 1024 * 1024
const skewMsMax = 2000

export interface ServerPlaces {
  /** The HTTP listener, without a slash at its end. */
  readonly target: string
  /** The management listener; undefined where nobody knows it. */
  readonly management: string | undefined
  /** How long what is counted is watched; 0 takes what was counted since the start of the process. */
  readonly duringMs: number
  readonly sleep: (ms: number) => Promise<void>
  readonly now: () => number
}

interface Page {
  readonly status: number
  readonly text: string
  readonly dateMs: number | undefined
  /** Between sending and the answer. */
  readonly tookMs: number
}

/** Looks at a running server from outside, as a client and as a scraper would (SPEC O7). Never rejects. */
export async function fromServer(places: ServerPlaces): Promise<readonly Finding[]> {
  const [server, management] = await Promise.all([reach(places), looked(places)])
  return [...server, ...management]
}

async function reach({ target, now }: ServerPlaces): Promise<readonly Finding[]> {
  const sentAt = now()
  const page = await ask(`${target}/portcullis.v1.HubService/GetHealth`, now, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  if (typeof page === 'string') return [wrong('server.reach', `${target}: ${page}`), unknown('clock.skew', 'no answer')]
  const ours = page.status === 200 && /"status"\s*:/.test(page.text)
  const server = ours
    ? fine('server.reach', `${target} answers in ${Math.round(page.tookMs)} ms`)
    : wrong('server.reach', `${target} answers ${page.status}, and not as Portcullis does`)
  if (page.dateMs === undefined) return [server, unknown('clock.skew', 'the answer has no date')]
  // The header counts whole seconds.
  const skewMs = Math.round(sentAt + page.tookMs / 2 - page.dateMs - 500)
  const found = `this clock is ${(skewMs / 1000).toFixed(1)} s from that of the server`
  return [server, Math.abs(skewMs) > skewMsMax ? wrong('clock.skew', found) : fine('clock.skew', found)]
}

async function looked({ management, duringMs, sleep, now }: ServerPlaces): Promise<readonly Finding[]> {
  if (management === undefined)
    return [unknown('server.ready', 'say where the management listener is with --management')]
  const ready = await ask(`${management}/readyz`, now)
  const first = await scrape(management, now)
  const findings: Finding[] = [readiness(ready, management)]
  if (!(first instanceof Samples)) return [...findings, first]
  if (duringMs === 0) return [...findings, ...fromMetrics(first)]
  await sleep(duringMs)
  const second = await scrape(management, now)
  return [...findings, ...(second instanceof Samples ? fromMetrics(second.since(first)) : [second])]
}

function readiness(page: Page | string, management: string): Finding {
  if (typeof page === 'string') return unknown('server.ready', `${management}: ${page}`)
  if (page.status === 200) return fine('server.ready', 'it is ready')
  const reason = /"reason"\s*:\s*"([^"]{1,200})"/.exec(page.text)?.[1]
  if (page.status === 503 && reason !== undefined) return wrong('server.ready', reason)
  return wrong('server.ready', `${management}/readyz answers ${page.status}`, {
    cause: 'This is not the management listener of Portcullis.',
    remedy: 'Name it with --management (http://127.0.0.1:9091 by default).',
  })
}

async function scrape(management: string, now: () => number): Promise<Samples | Finding> {
  const page = await ask(`${management}/metrics`, now)
  if (typeof page === 'string') return unknown('metrics.missing', `${management}: ${page}`)
  if (page.status !== 200) return wrong('metrics.missing', `${management}/metrics answers ${page.status}`)
  return Samples.parse(page.text)
}

/** The page, or why there is none. */
async function ask(url: string, now: () => number, more: RequestInit = {}): Promise<Page | string> {
  const startedAt = now()
  try {
    const reply = await fetch(url, { ...more, redirect: 'manual', signal: AbortSignal.timeout(deadlineMs) })
    const tookMs = now() - startedAt
    const text = reply.body === null ? '' : await readBounded(reply.body, pageBytesMax)
    if (text === undefined) return `the answer has more than ${pageBytesMax} bytes`
    const dateMs = Date.parse(reply.headers.get('date') ?? '')
    return { status: reply.status, text, tookMs, dateMs: Number.isNaN(dateMs) ? undefined : dateMs }
  } catch (error) {
    return reasonOf(error)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return `no answer within ${deadlineMs / 1000} s`
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? `no answer (${String(cause.code)})` : error.message
}
