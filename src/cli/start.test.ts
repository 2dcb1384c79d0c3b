import { describe, expect, it } from 'vitest'
import { FakeStartError, fakeIo, fakeServerRoom, runLine, running, type FakeIo } from './fakes.ts'
import type { Running, ServerRoom } from './server-room.ts'

const firstStart = running(
  { adminKey: 'pc_admin', consoleUrl: 'http://127.0.0.1:8080/sign-in?code=x' },
  { notes: ['files moved'] },
)

/** Starts `up` with a server that gets SIGTERM once it shows itself. */
function upOnce(started: Running, given: Partial<ServerRoom> = {}): FakeIo {
  const io: FakeIo = fakeIo({
    server: () => Promise.resolve(fakeServerRoom({ up: () => Promise.resolve(started), ...given })),
  })
  queueMicrotask(() => setImmediate(() => io.signal('SIGTERM')))
  return io
}

/** A server room whose every start ends with this error. */
function failing(reason: Error): Partial<FakeIo> {
  const start = (): Promise<never> => Promise.reject(reason)
  return { server: () => Promise.resolve(fakeServerRoom({ up: start, serve: start })) }
}

/** A server whose stop ends when the test says so. */
function slowToStop(): {
  readonly io: FakeIo
  readonly finish: () => void
  at: number
  readonly ended: Promise<number>
  readonly shown: Promise<void>
} {
  const stopped = Promise.withResolvers<void>()
  const shown = Promise.withResolvers<void>()
  const started = running({}, { stop: () => stopped.promise })
  const state = { at: 0 }
  const io = fakeIo({
    monotonic: () => state.at,
    server: () => Promise.resolve(fakeServerRoom({ up: () => Promise.resolve(started) })),
    out: { write: () => shown.resolve(), interactive: false, colours: false },
  })
  const ended = runLine('up', io).then(({ code }) => code)
  return Object.assign(state, { io, finish: stopped.resolve, ended, shown: shown.promise })
}

describe('up', () => {
  it('M1: the first start prints the admin key as an export line, the link, the addresses and three commands', async () => {
    const { code, out, err } = await runLine('up', upOnce(firstStart))
    expect(code).toBe(0)
    expect(out.match(/pc_admin/g)).toHaveLength(1)
    expect(out).toMatch(/^export PORTCULLIS_KEY=pc_admin$/m)
    for (const part of [
      'files moved',
      '/sign-in?code=x',
      '127.0.0.1:50051',
      'http://127.0.0.1:9091',
      'agent create researcher',
      'ledger tail',
      'GetHealth',
    ]) {
      expect(out).toContain(part)
    }
    expect(out).not.toContain('PORTCULLIS_URL')
    expect(err).toBe('draining\n')
  })

  it('M1: a later start shows no key and says how to get another', async () => {
    const { out } = await runLine('up', upOnce(running()))
    expect(out).not.toContain('PORTCULLIS_KEY=')
    expect(out).toContain('portcullis admin recover')
  })

  it('M1: another HTTP address is told as a variable for the client commands', async () => {
    const { out } = await runLine('up', upOnce(running({ http: '127.0.0.1:18080' })))
    expect(out).toMatch(/^export PORTCULLIS_URL=http:\/\/127\.0\.0\.1:18080$/m)
  })

  it('U1: with --json stdout holds the ready line alone', async () => {
    const { out, err } = await runLine('up --json', upOnce(firstStart))
    expect(JSON.parse(out)).toEqual(firstStart.ready)
    expect(out.endsWith('}\n')).toBe(true)
    expect(err).toBe('files moved\ndraining\n')
  })

  it('M1: a start that cannot be done says why and what to do, and ends with 3', async () => {
    const error = new FakeStartError('cannot listen', ['port 8080 is in use; set listen.http'])
    const { code, out, err } = await runLine('up', fakeIo(failing(error)))
    expect([code, out]).toEqual([3, ''])
    expect(err).toBe('error: cannot listen\n  - port 8080 is in use; set listen.http\n')
  })

  it('U1: a fault shows no stack unless it is asked for', async () => {
    const broken = failing(new TypeError('x is not a function'))
    const quiet = await runLine('up', fakeIo(broken))
    expect(quiet.code).toBe(70)
    expect(quiet.err).toMatch(/^portcullis failed: x is not a function\n/)
    expect(quiet.err).not.toContain('    at ')
    const loud = await runLine('up', fakeIo({ ...broken, env: { PORTCULLIS_DEBUG: '1' } }))
    expect(loud.err).toContain('    at ')
    const json = await runLine('up --json', fakeIo(broken))
    expect(JSON.parse(json.out)).toEqual({ error: { code: 'cli.fault', message: 'x is not a function' } })
  })
})

describe('signals', () => {
  it('M1: SIGINT drains and ends with 0', async () => {
    const test = slowToStop()
    await test.shown
    test.io.signal('SIGINT')
    test.finish()
    expect(await test.ended).toBe(0)
    expect(test.io.exits).toEqual([])
  })

  it('M1: a second SIGINT ends at once with 130, but not the echo of the first that npm sends', async () => {
    const test = slowToStop()
    await test.shown
    test.io.signal('SIGINT')
    test.at = 20
    test.io.signal('SIGINT')
    expect(test.io.exits).toEqual([])
    test.at = 300
    test.io.signal('SIGTERM')
    expect(test.io.exits).toEqual([])
    test.io.signal('SIGINT')
    expect(test.io.exits).toEqual([130])
    test.finish()
    await test.ended
    expect(test.io.written.err).toBe('draining\n')
  })

  it('M1: a signal during the start still shows the key, then stops', async () => {
    const starting = Promise.withResolvers<Running>()
    const asked = Promise.withResolvers<void>()
    let stops = 0
    const up: ServerRoom['up'] = () => {
      asked.resolve()
      return starting.promise
    }
    const io = fakeIo({ server: () => Promise.resolve(fakeServerRoom({ up })) })
    const ended = runLine('up', io)
    await asked.promise
    io.signal('SIGINT')
    starting.resolve({ ...firstStart, stop: () => Promise.resolve(void (stops += 1)) })
    const { code, out } = await ended
    expect([code, stops]).toEqual([0, 1])
    expect(out).toContain('export PORTCULLIS_KEY=pc_admin')
  })
})

describe('maintenance', () => {
  it('M4: serve with settings that are wrong ends with 2 and names every problem', async () => {
    const env = { PORTCULLIS__LISTEN__GRPC: 'nowhere', PORTCULLIS__ENV: 'prod' }
    const io = (): FakeIo => fakeIo({ ...failing(new FakeStartError('not usable', [])), env })
    const { code, err } = await runLine('serve --config /nonexistent/portcullis.yaml', io())
    expect(code).toBe(2)
    for (const part of ['portcullis.yaml', 'listen.grpc', 'env']) expect(err).toContain(part)
    const json = await runLine('serve --json --config /nonexistent/portcullis.yaml', io())
    const { error }: { error: { code: string; problems: readonly object[] } } = JSON.parse(json.out)
    expect(error.code).toBe('config.invalid')
    expect(error.problems.length).toBeGreaterThanOrEqual(3)
  })

  it('M4: serve without --config is a usage error', async () => {
    expect((await runLine('serve')).code).toBe(2)
  })

  it('U1: migrate says what it applied, and with --plan what it would', async () => {
    expect((await runLine('migrate --config x.yaml')).out).toBe('applied 1 spine\n')
    expect((await runLine('migrate --plan --config x.yaml')).out).toBe('would apply 1 spine\n')
    expect(JSON.parse((await runLine('migrate --json --config x.yaml')).out)).toEqual({
      plan: false,
      applied: [{ version: 1, name: 'spine' }],
      adminKey: null,
    })
  })

  it('M1: down says whether it stopped something', async () => {
    expect((await runLine('down')).out).toBe('Stopped the PostgreSQL of .portcullis.\n')
    const idle = fakeIo({
      server: () => Promise.resolve(fakeServerRoom({ down: () => Promise.resolve('not_running') })),
    })
    expect(await runLine('down --json', idle)).toEqual({ code: 0, out: '{"outcome":"not_running"}\n', err: '' })
  })

  it('M1: admin recover prints the new key as an export line, and a new sign-in link', async () => {
    const { out } = await runLine('admin recover')
    expect(out).toMatch(/^export PORTCULLIS_KEY=pc_recovered$/m)
    expect(out).toMatch(/^\/sign-in\?code=x$/m)
    const json = '{"adminKey":"pc_recovered","signInPath":"/sign-in?code=x"}\n'
    expect((await runLine('admin recover --json')).out).toBe(json)
  })
})
