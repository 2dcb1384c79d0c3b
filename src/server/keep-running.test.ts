import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino, type Logger } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keepRunning } from './keep-running.ts'

let dataDir: string
let events: string[]
let log: Logger
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'portcullis-watch-'))
  events = []
  log = pino({}, { write: (line) => void events.push(String((JSON.parse(line) as { event: unknown }).event)) })
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

describe('keepRunning', () => {
  it('G20: starts a PostgreSQL that ended, once, and says so', async () => {
    await writeFile(join(dataDir, 'PG_VERSION'), '18\n')
    let lives = false
    const start = vi.fn(async () => {
      lives = true
    })
    const watch = keepRunning({ dataDir, running: async () => lives }, start, log)
    await vi.waitFor(() => expect(events).toEqual(['postgres.ended', 'postgres.back']))
    await watch.stop()
    expect(start).toHaveBeenCalledTimes(1)
  })

  it('G20: makes no new cluster where the data directory was moved away', async () => {
    const start = vi.fn(async () => undefined)
    const watch = keepRunning({ dataDir, running: async () => false }, start, log)
    await vi.waitFor(() => expect(events).toEqual(['postgres.ended', 'postgres.away']))
    await watch.stop()
    expect(start).not.toHaveBeenCalled()
  })

  it('M1: the end of the watch waits for a start that is under way, so that nothing is started after a stop', async () => {
    await writeFile(join(dataDir, 'PG_VERSION'), '18\n')
    const started = Promise.withResolvers<void>()
    const watch = keepRunning({ dataDir, running: async () => false }, () => started.promise, log)
    await vi.waitFor(() => expect(events).toEqual(['postgres.ended']))
    let stopped = false
    const stopping = watch.stop().then(() => (stopped = true))
    await new Promise(setImmediate)
    expect(stopped).toBe(false)
    started.resolve()
    await stopping
    expect(events).toEqual(['postgres.ended', 'postgres.back'])
  })
})
