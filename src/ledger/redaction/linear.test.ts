import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'

const folder = import.meta.dirname

/** The regular expressions in the sources of this folder. */
function expressions(): readonly { readonly file: string; readonly source: string }[] {
  return globSync('*.ts', { cwd: folder })
    .filter((file) => !/\.(?:test|fixture)\.ts$|^corpus/.test(file))
    .flatMap((file) =>
      [
        ...readFileSync(join(folder, file), 'utf8').matchAll(
          /(?<=[=(,:\s[])\/((?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+)\/[a-z]*/g,
        ),
      ].map(([, source = '']) => ({ file, source })),
    )
}

/** The widest repetition of a group that repeats itself without bound: what makes time grow with a power of the text. */
function nestedRepetition(source: string): string | undefined {
  const text = source.replaceAll(/\\./g, 'x').replaceAll(/\[[^\]]*\]/g, 'x')
  const open: number[] = []
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') open.push(at)
    if (text[at] !== ')') continue
    const inner = text.slice(open.pop(), at + 1)
    const times = /^(?:[*+]|\{\d+(?:,(?:[2-9]|\d\d+)?)?\})/.exec(text.slice(at + 1))
    if (times !== null && /[^(][*+]|\{\d+,\}/.test(inner)) return `${inner}${times[0]}`
  }
  return undefined
}

describe('time', () => {
  it('L3: no expression repeats what repeats itself without bound', () => {
    expect(nestedRepetition('(?:a+b)*')).toBe('(?:a+b)*')
    expect(nestedRepetition('(a|b*){2,}')).toBe('(a|b*){2,}')
    expect(nestedRepetition('(?:a?b){0,3}[+*]+')).toBeUndefined()
    const all = expressions()
    expect(all.length).toBeGreaterThan(30)
    expect(
      all
        .map(({ file, source }) => ({ file, source, nested: nestedRepetition(source) }))
        .filter(({ nested }) => nested),
    ).toEqual([])
  })

  // A detector whose time grew with the square of the text would need hours for a mebibyte: the deadline is no measure of speed.
  it('L3: a mebibyte of what was made to be slow is read to its end', { timeout: 400_000 }, async () => {
    const worker = new Worker(new URL('./slow-texts.fixture.ts', import.meta.url))
    let last = 'none'
    const done = new Promise<number>((resolve, reject) => {
      worker.on('message', (told: { readonly unit: string; readonly read?: number }) => {
        last = told.unit
        if (told.read !== undefined) resolve(told.read)
      })
      worker.on('error', reject)
      worker.on('exit', () => reject(new Error(`the worker ended at ${last}`)))
    })
    const deadline = new Promise<never>((_, reject) => {
      setTimeout(
        () => reject(new Error(`not read to its end within five minutes: ${JSON.stringify(last)}`)),
        300_000,
      ).unref()
    })
    try {
      expect(await Promise.race([done, deadline])).toBeGreaterThan(50)
    } finally {
      await worker.terminate()
    }
  })
})
