import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { fakeIo, runLine } from '../fakes.ts'
import { ItemFields } from './fields.ts'
import { itemBytesMax, itemsOf, type Item } from './json-items.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-import-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function* inChunks(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function items(text: string, size = 7, around: readonly string[] = []): Promise<readonly Item[]> {
  const found: Item[] = []
  for await (const item of itemsOf(inChunks(text, size), new Set(around))) found.push(item)
  return found
}

describe('the reader of a large document', () => {
  it('H14: gives the items of its lists one at a time, wherever the chunks end', async () => {
    const text = '{ "a" : [ {"x":"}\\"]","y":[1,[2]]}, "é,]", -1.5e3 ],"b":[], "c":{"d":[1]} ,"e":true}\n'
    for (const size of [1, 2, 3, 1000]) {
      expect(await items(text, size)).toEqual([
        { section: 'a', index: 0, text: '{"x":"}\\"]","y":[1,[2]]}' },
        { section: 'a', index: 1, text: '"é,]"' },
        { section: 'a', index: 2, text: '-1.5e3' },
        { section: 'c', index: undefined, text: '{"d":[1]}' },
        { section: 'e', index: undefined, text: 'true' },
      ])
    }
    expect(await items('{"state":{"a":[1]},"z":0}', 3, ['state'])).toMatchObject([{ section: 'a' }, { section: 'z' }])
    expect(await items('{}')).toEqual([])
  })

  it('H14: reads over an item that is larger than may be held', async () => {
    const text = `{"a":["${'x'.repeat(itemBytesMax)}","small"]}`
    expect((await items(text, 65_536)).map((item) => item.text)).toEqual([undefined, '"small"'])
  })

  it.each([
    '',
    '[]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":[',
    '{"a":[1',
    '{"a":[1}',
    '{"a":1,}',
    '{"a":1}x',
    '{a:1}',
    '{"a":{"b"',
  ])('H14: says where %j is no document', async (text) => {
    await expect(items(text)).rejects.toThrow(/ at byte \d+|in the middle/)
  })
})

describe('the fields of an item', () => {
  it('H14: amounts are exact to the nano-USD: 0.1 and 1e-7 are, and what is smaller is rounded and said so', () => {
    const usd = (text: string): readonly [string, number] => {
      const fields = new ItemFields(`{"costUsd":${text}}`)
      return [fields.usd('cost_usd'), fields.rounded.length]
    }
    expect(usd('0.1')).toEqual(['100000000', 0])
    expect(usd('1e-7')).toEqual(['100', 0])
    expect(usd('123456.000000001')).toEqual(['123456000000001', 0])
    expect(usd('1.2345678901234567e-05')).toEqual(['12346', 1])
    expect(usd('"2.5"')).toEqual(['2500000000', 0])
    expect(usd('null')).toEqual(['0', 0])
    for (const bad of ['-1', '1e400', '"x"', 'true', '{}']) expect(() => usd(bad)).toThrow(/cost_usd must be/)
  })

  it('H14: 64-bit counts keep each digit, and camelCase is read as snake_case', () => {
    const fields = new ItemFields(
      '{"tokensIn": 999999999999, "latency_ms": 1.5, "createdAt": "soon", "qualityScore": 7}',
    )
    expect(fields.count('tokens_in')).toBe('999999999999')
    expect(() => fields.count('latency_ms')).toThrow(/whole number/)
    expect(() => fields.time('created_at')).toThrow(/must be a time/)
    expect(() => fields.score('quality_score', 1)).toThrow(/--quality-max/)
    expect(fields.score('quality_score', 10)).toBe(700)
  })
})

describe('import modeloman', () => {
  it('H14: --dry-run needs no server, counts what would be imported and names each item that is bad by its place', async () => {
    const file = join(folder, 'state.json')
    writeFileSync(
      file,
      JSON.stringify({
        tasks: [{ id: 't1', title: 'One', status: 'blocked', created_at: '2026-01-01T00:00:00Z' }, { title: '' }, 7],
        runs: [{ id: 'r1', workflow: 'w', status: 'running', agent_id: 'a' }],
        promptAttempts: [
          { run_id: 'r1', attempt_number: 1, model: 'm', outcome: 'timeout', cost_usd: 0.25 },
          { run_id: 'r2', attempt_number: 1, model: 'm', outcome: 'success' },
          { run_id: 'r1', attempt_number: 1, model: 'm', outcome: 'maybe' },
        ],
        policy: { max_cost_per_run_usd: 5, kill_switch: true },
        novelty: [1, 2],
      }),
    )
    const io = fakeIo()
    const { code, out } = await runLine(`import modeloman ${file} --dry-run --json`, io)
    expect(code).toBe(1)
    const done = JSON.parse(out)
    expect(done.sections).toEqual({
      tasks: { found: 3, imported: 1, already: 0, skipped: 2 },
      runs: { found: 1, imported: 1, already: 0, skipped: 0 },
      attempts: { found: 3, imported: 1, already: 0, skipped: 2 },
      policy: { found: 1, imported: 0, already: 0, skipped: 1 },
    })
    expect(done.leftOut).toMatchObject({ 'tasks[].created_at': 1, 'runs[].agent_id': 1, 'novelty[]': 2 })
    expect(done.problems.map(({ path }: { path: string }) => path)).toEqual([
      'tasks[1]',
      'tasks[2]',
      'promptAttempts[1]',
      'promptAttempts[2]',
    ])
    const text = await runLine(`import modeloman ${file} --dry-run`)
    expect(text.out).toMatch(/WOULD IMPORT.*attempts +3 +1.*skipped promptAttempts\[1\]: run_id "r2" names no run/s)
  })

  it('H14: a file that is not there and one that is no export are told as such', async () => {
    expect(await runLine(`import modeloman ${folder}/none.json --dry-run`)).toMatchObject({ code: 2 })
    const file = join(folder, 'list.json')
    writeFileSync(file, '[1,2]')
    const { code, err } = await runLine(`import modeloman ${file} --dry-run`)
    expect([code, err]).toEqual([2, expect.stringMatching(/is not an export: \{ is missing at byte 0/)])
  })
})
