import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseTrace, readTrace, TraceError } from './trace.ts'

const header = 'TIMESTAMP,ContextTokens,GeneratedTokens'
const row = '2023-11-16 18:15:46.6805900,374,44'

async function failure(lines: readonly string[]): Promise<string> {
  const error: unknown = await parseTrace(lines, 'calls.csv').catch((thrown: unknown) => thrown)
  if (!(error instanceof TraceError)) throw new Error('the trace was taken', { cause: error })
  return error.message
}

describe('the trace of the demo', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-trace-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('M3: a row is a time and two counts of tokens', async () => {
    expect(await parseTrace([header, row], 'calls.csv')).toEqual([
      { atMs: Date.UTC(2023, 10, 16, 18, 15, 46, 680), hour: '2023-11-16 18', inputTokens: 374, outputTokens: 44 },
    ])
  })

  it('M3: columns are found by name, in any order, with others between and with quotes', async () => {
    const lines = ['"GeneratedTokens",Model,ContextTokens,TIMESTAMP', '"44",m,374,2023-11-16T18:15:46Z']
    expect(await parseTrace(lines, 'calls.csv')).toMatchObject([
      { atMs: Date.UTC(2023, 10, 16, 18, 15, 46), inputTokens: 374, outputTokens: 44 },
    ])
  })

  it.each([
    ['carriage returns', `${header}\r\n${row}\r\n${row}\r\n`],
    ['no newline at the end', `${header}\n${row}\n${row}`],
    ['a byte order mark', `\uFEFF${header}\n${row}\n${row}\n`],
    ['empty lines', `${header}\n${row}\n\n${row}\n\n`],
  ])('M3: a file with %s has all its rows', async (name, text) => {
    const file = join(folder, `${name}.csv`)
    await writeFile(file, text)
    expect(await readTrace(file)).toHaveLength(2)
    expect(await readTrace(file, 1)).toHaveLength(1)
  })

  it('M3: missing columns are named', async () => {
    expect(await failure(['TIMESTAMP,GeneratedTokens', '2023-11-16 18:15:46,1'])).toBe(
      'calls.csv, line 1: the column ContextTokens is missing',
    )
    expect(await failure(['a,b'])).toContain('the columns TIMESTAMP, ContextTokens, GeneratedTokens are missing')
  })

  it('M3: a column that is there twice is refused: which of them counts cannot be told', async () => {
    expect(await failure([`${header},"ContextTokens"`, `${row},1`])).toBe(
      'calls.csv, line 1: ContextTokens must be there once, not twice or more',
    )
    expect(await parseTrace([`${header},Model,Model`, `${row},a,b`], 'calls.csv')).toHaveLength(1)
  })

  it('M3: a file without rows says so', async () => {
    const file = join(folder, 'empty.csv')
    await writeFile(file, '')
    await expect(readTrace(file)).rejects.toThrow(/empty\.csv is empty; its first line must name TIMESTAMP/)
    expect(await failure([''])).toBe(
      'calls.csv, line 1: is empty; it must name TIMESTAMP, ContextTokens, GeneratedTokens',
    )
    expect(await failure([header])).toBe('calls.csv has no rows after its first line')
  })

  it.each([
    ['yesterday,1,2', 'TIMESTAMP is not a time'],
    ['2023-11-16 18:61:00.000,1,2', 'TIMESTAMP is not a time'],
    ['2023-02-30 18:15:46,1,2', 'TIMESTAMP is not a time'],
    ['2023-11-16 24:00:00,1,2', 'TIMESTAMP is not a time'],
    ['2019-12-31 23:59:59,1,2', 'TIMESTAMP must be since 2020'],
    ['2999-01-01 00:00:00,1,2', 'TIMESTAMP must be since 2020 and not in the future'],
    ['2023-11-16 18:15:46,-1,2', 'ContextTokens is not a whole number'],
    ['2023-11-16 18:15:46,1,2.5', 'GeneratedTokens is not a whole number'],
    ['2023-11-16 18:15:46,1,9999999999999', 'GeneratedTokens is not a whole number'],
    ['2023-11-16 18:15:46,1', 'has 2 columns, the first line has 3'],
    ['2023-11-16 18:15:46,1,2,3', 'has 4 columns, the first line has 3'],
  ])('M3: the bad line "%s" is told with its number', async (line, problem) => {
    expect(await failure([header, row, '', line])).toContain(`calls.csv, line 4: ${problem}`)
  })
})
