import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, expect, it } from 'vitest'
import { loadConfig, type Config } from '#config'
import { watchConfig } from '../src/server/watch-config.ts'

const stops: (() => unknown)[] = []
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())))

async function watched(text: string) {
  const dir = await mkdtemp(join(tmpdir(), 'portcullis-reload-'))
  stops.push(() => rm(dir, { recursive: true }))
  const file = join(dir, 'portcullis.yaml')
  await writeFile(file, text)
  const loaded = loadConfig({ file, env: {}, mode: 'serve' })
  if (!loaded.ok) throw new Error('the settings of the test are not usable')
  const lines: Record<string, unknown>[] = []
  const told: (() => void)[] = []
  const changes: Partial<Config>[] = []
  const log = pino(
    { level: 'info' },
    { write: (line: string) => (lines.push(JSON.parse(line)), told.splice(0).forEach((tell) => tell())) },
  )
  const watch = watchConfig({ file, env: {}, config: loaded.config, log, apply: (change) => void changes.push(change) })
  stops.push(() => watch.stop())
  const nextLine = (): Promise<void> => new Promise((resolve) => told.push(resolve))
  return { file, lines, changes, nextLine }
}

const settings = 'database:\n  url: postgres://portcullis_app:x@127.0.0.1:5432/portcullis\n'

it('O1: an edit of the settings file is taken over without a restart, and what needs one is named', async () => {
  const { file, lines, changes, nextLine } = await watched(settings)
  const waiting = nextLine()
  await appendFile(file, 'limits:\n  rate:\n    key:\n      perSecond: 7\nlisten:\n  grpc: 127.0.0.1:50099\n')
  await waiting
  expect(lines[0]).toMatchObject({ event: 'config.needs_restart', settings: ['listen.grpc'] })
  expect(changes[0]?.limits?.rate.key.perSecond).toBe(7)
  expect(changes[0]?.listen).toBeUndefined()
})

it('O1: an edit that is not usable changes nothing and is reported', async () => {
  const { file, lines, changes, nextLine } = await watched(settings)
  const waiting = nextLine()
  await appendFile(file, 'limitz: {}\n')
  await waiting
  expect(lines[0]).toMatchObject({ event: 'config.refused' })
  expect(changes).toEqual([])
})
