import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fakeIo, runLine, type FakeIo } from './fakes.ts'
import { ProgressBar } from './progress.ts'

const key = 'pc_anything'
const withKey = (): FakeIo => fakeIo({ env: { PORTCULLIS_KEY: key, PORTCULLIS_GRPC: '127.0.0.1:1' } })

describe('portcullis demo, before it reaches a server', () => {
  it('M3: without a key it says which one it needs', async () => {
    const { code, err } = await runLine('demo', fakeIo())
    expect(code).toBe(2)
    expect(err).toContain('needs the key of an admin of the tenant main')
  })

  it.each([
    ['demo --speed 0', 'is no speed'],
    ['demo --speed fast', 'is no speed'],
    ['demo --minutes 0', 'whole number from 1'],
    ['demo --minutes 2 --speed 3', 'cannot be used with'],
    ['demo --seed -1', 'whole number from 0'],
    ['demo --grpc localhost', 'not the address of a gRPC listener'],
    ['demo --target 127.0.0.1', '--target is not the URL of a server'],
    ['demo --budget 5', '--budget is for --trace'],
    ['demo --trace x.csv --budget five', 'Write dollars such as 5 or 0.25'],
    ['demo --trace nowhere.csv', 'The file nowhere.csv cannot be read (ENOENT)'],
  ])('M3: `%s` is a mistake that is explained', async (line, said) => {
    const { code, out, err } = await runLine(line, withKey())
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(said)
  })

  it('M3: a trace that is none is told with its line', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-demo-'))
    try {
      const file = join(folder, 'bad.csv')
      await writeFile(file, 'TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,many,1\n')
      const { code, err } = await runLine(`demo --trace ${file}`, withKey())
      expect(code).toBe(2)
      expect(err).toContain(`${file}, line 2: ContextTokens is not a whole number.`)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('M3: where nothing listens it says what to start', async () => {
    const { code, err } = await runLine('demo', withKey())
    expect(code).toBe(3)
    expect(err).toContain('No server answers at 127.0.0.1:1 (connection refused).')
    expect(err).not.toContain(key)
  })

  it('M3: the key does not go to another machine without a warning', async () => {
    const io = fakeIo({ env: { PORTCULLIS_KEY: key } })
    const { err } = await runLine('demo --target http://192.0.2.1:8080 --trace nowhere.csv', io)
    expect(err).toContain('warning: the key goes to 192.0.2.1:8080 unencrypted')
    expect(err).toContain('warning: the keys go to 192.0.2.1:50051 unencrypted.')
  })
})

describe('the progress of a long command', () => {
  it('M3: is a line for each tenth where nobody watches', () => {
    const io = fakeIo()
    const bar = new ProgressBar(io)
    for (let done = 0; done <= 100; done += 1) bar.show({ done, total: 100 }, `${done} calls`)
    bar.clear()
    const lines = io.written.err.trimEnd().split('\n')
    expect(lines).toHaveLength(10)
    expect(lines[0]).toBe('10 %, 10 calls, 0 s')
    expect(lines[9]).toBe('100 %, 100 calls, 0 s')
  })

  it('M3: is a bar for a person, redrawn now and then, without colours where they are unwanted', () => {
    let [text, nowMs] = ['', 0]
    const err = { write: (more: string) => void (text += more), interactive: true, colours: false }
    const bar = new ProgressBar(fakeIo({ err, monotonic: () => nowMs }))
    for (let done = 0; done <= 50; done += 1) {
      nowMs += 10
      bar.show({ done, total: 100 }, `${done} calls`)
    }
    bar.clear()
    expect(text.split('\r').length).toBeLessThan(10)
    expect(text).toContain('█████')
    expect(text.endsWith('\r\u001B[K')).toBe(true)
    expect(text.replaceAll('\u001B[K', '')).not.toContain('\u001B')
  })
})
