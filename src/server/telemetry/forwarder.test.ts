import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { loadConfig } from '#config'
import { Outbound, replyBytesMax } from '#core'
import { sendBounded, telemetryTargets } from './bounded-send.ts'
import { Forwarder, queueMax, type ForwardedEvent } from './forwarder.ts'
import { makeForwarders } from './forwarders.ts'
import { Metrics } from './metrics.ts'
import { Spill } from './spill.ts'
import { toldOf } from './decided.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean()
})

const event = (requestId: string): ForwardedEvent => ({
  route: '/portcullis.v1.HubService/StartRun',
  status: 200,
  subject: 'agt_1',
  clientId: 'key_1',
  scopes: 'telemetry:write',
  bypass: false,
  remote: '192.0.2.1',
  requestId,
  at: '2026-11-21T00:00:00.000Z',
})

async function target(listener: RequestListener, port = 0): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const bound = (server.address() as AddressInfo).port
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${bound}/intake`, port: bound, server }
}

function outbound(): Outbound {
  const made = new Outbound({ ...telemetryTargets, deadlineMs: 5_000 })
  cleanups.push(() => made.close())
  return made
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-spill-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

interface Line {
  readonly level: number
  readonly event: string
  readonly [field: string]: unknown
}

function forwarder(url: string, spill?: Spill) {
  const lines: Line[] = []
  const counts: Record<string, number> = {}
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const made = new Forwarder({
    name: 'http-0',
    target: {
      url,
      headers: () => Promise.resolve({ authorization: 'Bearer secret-of-the-target' }),
      outbound: outbound(),
      deadlineMs: 300,
    },
    encode: (events) => JSON.stringify({ events }),
    spill,
    log,
    count: (result, events) => void (counts[result] = (counts[result] ?? 0) + events),
    gatherMs: 60_000,
    retryMs: 60_000,
  })
  return { forwarder: made, lines, counts }
}

const spillIn = (dir: string, more: { bytesMax?: number; filesMax?: number } = {}): Spill =>
  new Spill({ dir, prefix: 'http-0', bytesMax: 1_000_000, filesMax: 100, ...more })

async function bodyOf(request: Parameters<RequestListener>[0]): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const requestIds = (body: string): readonly string[] =>
  (JSON.parse(body) as { events: ForwardedEvent[] }).events.map(({ requestId }) => requestId)

describe('one bounded send', () => {
  const ask = (url: string, deadlineMs = 2_000) =>
    sendBounded({ url, headers: () => Promise.resolve({}), outbound: outbound(), deadlineMs }, () => '{}')

  it('O4: an endless reply is read to 1 MiB and then dropped, and counts by its status', async () => {
    for (const [status, ok] of [
      [200, true],
      [500, false],
    ] as const) {
      let written = 0
      const gone = Promise.withResolvers<void>()
      const { url } = await target((_request, response) => {
        response.writeHead(status)
        const more = (): void => {
          let room = true
          while (room && !response.destroyed) {
            room = response.write(Buffer.alloc(64 * 1024))
            written += 64 * 1024
          }
        }
        response.on('drain', more)
        response.on('close', () => gone.resolve())
        more()
      })
      expect((await ask(url)).ok).toBe(ok)
      await gone.promise
      // What was on its way in the buffers of two sockets comes on top.
      expect(written).toBeGreaterThanOrEqual(replyBytesMax / 2)
      expect(written).toBeLessThan(replyBytesMax * 20)
    }
  })

  it('O4: an endless reply of a byte at a time is dropped at the deadline, and counts by its status', async () => {
    for (const [status, sent] of [
      [200, { ok: true }],
      [500, { ok: false, status: 500 }],
    ] as const) {
      const gone = Promise.withResolvers<void>()
      const { url } = await target((_request, response) => {
        response.writeHead(status)
        const drip = setInterval(() => response.write('.'), 10)
        response.on('close', () => {
          clearInterval(drip)
          gone.resolve()
        })
      })
      expect(await ask(url, 200)).toMatchObject(sent)
      await gone.promise
    }
  })

  it('O4: a target that hangs is given up at the deadline', async () => {
    const { url } = await target(() => undefined)
    expect(await ask(url, 50)).toMatchObject({
      ok: false,
      why: /deadline/ as never,
    })
  })

  it('O4: a reply that dies on the way counts by its status', async () => {
    for (const [status, ok] of [
      [202, true],
      [503, false],
    ] as const) {
      const { url } = await target((_request, response) => {
        response.writeHead(status, { 'content-length': '100' })
        response.write('half', () => response.destroy())
      })
      expect((await ask(url)).ok).toBe(ok)
    }
  })

  it('O4: a redirect is not followed', async () => {
    let followed = 0
    const other = await target((_request, response) => {
      followed += 1
      response.end()
    })
    const { url } = await target((_request, response) => response.writeHead(307, { location: other.url }).end())
    expect(await ask(url)).toMatchObject({ ok: false, status: 307 })
    expect(followed).toBe(0)
  })
})

describe('a forwarder', () => {
  it('O4: while the target is away batches are kept on disk, 0600, and replayed in order when it is back', async () => {
    const dir = await folder()
    const first = forwarder('http://127.0.0.1:9/intake', spillIn(dir))
    first.forwarder.give(event('one-0001'))
    await first.forwarder.close()
    const second = forwarder('http://127.0.0.1:9/intake', spillIn(dir))
    second.forwarder.give(event('two-0001'))
    await second.forwarder.close()
    expect([first.counts, second.counts]).toEqual([{ spilled: 1 }, { spilled: 1 }])
    const files = await readdir(dir)
    expect(files).toHaveLength(2)
    for (const name of files) {
      expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
      expect(await readFile(join(dir, name), 'utf8')).not.toContain('secret-of-the-target')
    }
    const seen: string[] = []
    const { url } = await target(async (request, response) => {
      seen.push(...requestIds(await bodyOf(request)))
      response.writeHead(202).end()
    })
    const third = forwarder(url, spillIn(dir))
    third.forwarder.give(event('three-01'))
    await third.forwarder.close()
    expect(seen).toEqual(['one-0001', 'two-0001', 'three-01'])
    expect(third.counts).toEqual({ replayed: 2, sent: 1 })
    expect(await readdir(dir)).toEqual([])
  })

  it('O4: a batch of a process that ended is taken over, and one of a process that lives is left to it', async () => {
    const dir = await folder()
    const ended = await new Promise<number>((resolve) => {
      const child = spawn(process.execPath, ['-e', ''])
      child.on('exit', () => resolve(child.pid ?? 0))
    })
    const name = (pid: number): string => `http-0-000000000000001-000000001-${pid}.json`
    await writeFile(join(dir, name(ended)), JSON.stringify([event('of-ended')]))
    await writeFile(join(dir, name(process.ppid)), JSON.stringify([event('of-lives')]))
    const seen: string[] = []
    const { url } = await target(async (request, response) => {
      seen.push(...requestIds(await bodyOf(request)))
      response.writeHead(200).end()
    })
    await forwarder(url, spillIn(dir)).forwarder.close()
    expect([seen, await readdir(dir)]).toEqual([['of-ended'], [name(process.ppid)]])
  })

  it('O4: what is not a success is DEBUG with the status, and nothing above that', async () => {
    const { url } = await target((_request, response) => response.writeHead(500).end('no'))
    const { forwarder: made, lines, counts } = forwarder(url)
    made.give(event('failed-1'))
    await made.close()
    expect(counts).toEqual({ dropped: 1 })
    expect(lines.map(({ level, event: name, status }) => [level, name, status])).toEqual([
      [20, 'forwarder.not_sent', 500],
    ])
  })

  it('O4: a batch that the target refuses as it is holds up none behind it, neither from disk nor from memory', async () => {
    const spill = spillIn(await folder())
    await spill.keep(JSON.stringify([event('refused1')]))
    await spill.keep(JSON.stringify([event('kept-001')]))
    const seen: string[] = []
    const { url } = await target((request, response) => {
      void bodyOf(request).then((body) => {
        seen.push(...requestIds(body))
        response.writeHead(body.includes('refused') ? 413 : 200).end()
      })
    })
    const { forwarder: made, counts } = forwarder(url, spill)
    made.give(event('live-001'))
    await made.close()
    expect(seen).toEqual(['refused1', 'kept-001', 'live-001'])
    expect(counts).toEqual({ dropped: 1, replayed: 1, sent: 1 })
    expect(await spill.oldest()).toBeUndefined()
  })

  it('O4: a sent batch whose file cannot be removed is a WARN with the base name, once per file', async () => {
    const dir = await folder()
    const spill = spillIn(dir)
    await spill.keep(JSON.stringify([event('stuck-01')]))
    const [file] = await readdir(dir)
    const seen: string[] = []
    const { url } = await target(async (request, response) => {
      seen.push(...requestIds(await bodyOf(request)))
      // The file turns into a folder with something in it: that is what cannot be removed, also by root.
      const path = join(dir, String(file))
      await rm(path, { recursive: true, force: true })
      await mkdirWithFile(path)
      response.writeHead(200).end()
    })
    const { forwarder: made, lines } = forwarder(url, spill)
    made.give(event('stuck-02'))
    await made.close()
    expect(seen).toEqual(['stuck-01', 'stuck-02'])
    const warned = lines.filter(({ level }) => level >= 40)
    expect(warned.map(({ event: name, file: of, error }) => [name, of, typeof error])).toEqual([
      ['forwarder.spill_stays', file, 'string'],
    ])
    expect(JSON.stringify(lines)).not.toContain(dir)
  })

  it('O4: a spill folder that is full or cannot be written drops the batch, counts it, and disturbs nobody', async () => {
    const full = forwarder('http://127.0.0.1:9/intake', spillIn(await folder(), { bytesMax: 10 }))
    full.forwarder.give(event('dropped1'))
    await full.forwarder.close()
    expect(full.counts).toEqual({ dropped: 1 })

    const dir = await folder()
    const notAFolder = join(dir, 'file')
    await writeFile(notAFolder, '')
    await chmod(dir, 0o500)
    cleanups.push(() => chmod(dir, 0o700))
    const broken = forwarder('http://127.0.0.1:9/intake', spillIn(notAFolder))
    broken.forwarder.give(event('dropped2'))
    await broken.forwarder.close()
    expect(broken.counts).toEqual({ dropped: 1 })
    expect(broken.lines.every(({ level }) => level === 20)).toBe(true)
    expect(JSON.stringify(broken.lines)).not.toContain(notAFolder)
  })

  it('O4: a spill folder that could not be made at the start is used as soon as it can be', async () => {
    const dir = await folder()
    const parent = join(dir, 'not-mounted-yet')
    await writeFile(parent, '')
    const spill = spillIn(join(parent, 'spill'))
    await expect(spill.open()).rejects.toThrow()
    await rm(parent)
    await spill.keep(JSON.stringify([event('kept-late')]))
    expect(await readdir(join(parent, 'spill'))).toHaveLength(1)
  })

  it('O4: a file without events that cannot be removed is not said to have been sent', async () => {
    const dir = await folder()
    const spill = spillIn(dir)
    await spill.keep('torn {')
    const [file] = await readdir(dir)
    const read = spill.oldest.bind(spill)
    spill.oldest = async () => {
      const first = await read()
      if (first === undefined) return undefined
      await rm(join(dir, String(file)), { force: true })
      await mkdirWithFile(join(dir, String(file)))
      return first
    }
    const { forwarder: made, lines } = forwarder('http://127.0.0.1:9/intake', spill)
    await made.close()
    expect(lines.map(({ level, event: name, file: of }) => [level, name, of])).toEqual([
      [20, 'forwarder.spill_stays', file],
    ])
  })

  it('O4: the token is the one that its file holds when events are sent', async () => {
    const dir = await folder()
    await writeFile(join(dir, 'token'), 'token-at-the-start\n', { mode: 0o600 })
    const tokens: unknown[] = []
    const { url } = await target((request, response) => {
      tokens.push(request.headers.authorization)
      response.writeHead(202).end()
    })
    const text = `telemetry: { forwarders: [{ kind: http, url: '${url}', tokenFile: token }] }`
    const loaded = loadConfig({ mode: 'up', env: {}, file: join(dir, 'portcullis.yaml'), text })
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    const metrics = new Metrics()
    const made = makeForwarders(loaded.config, pino({ level: 'silent' }), metrics)
    await writeFile(join(dir, 'token'), 'token-that-was-rotated-in\n')
    const call = { method: undefined, remote: '192.0.2.1', requestId: 'request-1', traceparent: undefined }
    made?.give(toldOf(call, undefined, 1, 'method.unknown'))
    await made?.close()
    await metrics.close()
    expect(tokens).toEqual(['Bearer token-that-was-rotated-in'])
  })

  it('O4: its queue is bounded, and giving it more than that is counted and never fails', async () => {
    const { url } = await target(() => undefined)
    const { forwarder: made, counts } = forwarder(url)
    for (let at = 0; at < queueMax + 7; at += 1) made.give(event(`many-${at}`))
    expect(counts).toEqual({ dropped: 7 })
    await made.close()
    expect(counts).toEqual({ dropped: queueMax + 7 })
  })
})

async function mkdirWithFile(path: string): Promise<void> {
  await mkdir(path)
  await writeFile(join(path, 'content'), '')
}
