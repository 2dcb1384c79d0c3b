import { Agent, request } from 'node:http'

export interface TokenLoad {
  readonly url: string
  readonly authorization: string
}

export interface TokensResult {
  readonly perSecond: number
  readonly failed: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const body = 'grant_type=client_credentials&scope=telemetry%3Awrite'

/** Keeps that many token requests under way over connections that stay, and counts the tokens. */
export async function askForTokens(
  { url, authorization }: TokenLoad,
  inFlight: number,
  seconds: number,
): Promise<TokensResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight })
  const headers = {
    authorization,
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(Buffer.byteLength(body)),
  }
  const latencies: number[] = []
  let failed = 0
  const once = (): Promise<boolean> =>
    new Promise((resolve) => {
      const sent = request(url, { method: 'POST', agent, headers }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () => resolve(response.statusCode === 200 && text.includes('"access_token"')))
      })
      sent.on('error', () => resolve(false))
      sent.end(body)
    })
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      const sentAt = performance.now()
      if (await once()) latencies.push(performance.now() - sentAt)
      else failed += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, caller))
  const tookSeconds = (performance.now() - startedAt) / 1000
  agent.destroy()
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return { perSecond: latencies.length / tookSeconds, failed, p50Ms: at(0.5), p99Ms: at(0.99) }
}
