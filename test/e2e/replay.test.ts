import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { databaseOf } from '../harness/instance.ts'
import { startProcess } from '../harness/process.ts'
import { run } from '../harness/run.ts'

const program = fileURLToPath(new URL('../../bench/replay.ts', import.meta.url))
// A public trace where it lies beside the checkout; a small one of our own otherwise.
const published = fileURLToPath(
  new URL('../../../shared/data/azure-llm-2023/AzureLLMInferenceTrace_conv.csv', import.meta.url),
)

describe('the replay of a trace', () => {
  let folder: string
  let small: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portcullis-replay-'))
    small = join(folder, 'trace.csv')
    await writeFile(small, madeTrace(300))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('H4: every call of five agents is recorded with its tokens and its entry, and the log recomputes', async () => {
    const file = existsSync(published) ? published : small
    const rows = (await readFile(file, 'utf8'))
      .split(/\r?\n/)
      .slice(1, 2001)
      .filter((line) => line !== '')
    const sum = (column: number): number => rows.reduce((total, row) => total + Number(row.split(',')[column]), 0)
    const result = JSON.parse(await run(process.execPath, [program, file, '--rows', '2000', '--json']))
    const [input, output, attempts] = [sum(1), sum(2), rows.length]
    expect(result).toMatchObject({
      calls: attempts,
      expected: { input, output },
      recorded: { input, output, attempts },
      totals: { input, output, attempts },
      withEntry: attempts,
      chain: { chain_valid: true },
      holds: { tokens: true, entries: true, chain: true },
    })
    expect(result.chain.count).toBeGreaterThan(attempts)
  })

  it('L1: a log that was altered is found, and the replay says so', async () => {
    const server = await startProcess()
    try {
      const admin = new Client(await databaseOf(server.dir, 'postgres'))
      await admin.connect()
      // What only a superuser can do: the log holds an agent by then.
      await server.agent('before', ['telemetry:write'])
      await admin.query('alter table audits.entries disable trigger user')
      const { rowCount } = await admin.query(
        `update audits.entries set entry = convert_to(replace(convert_from(entry, 'UTF8'), 'before', 'behind'), 'UTF8') where log = 'main' and seq = 0`,
      )
      await admin.query('alter table audits.entries enable always trigger entries_refuse_statement')
      await admin.query('alter table audits.entries enable always trigger entries_refuse_row')
      await admin.end()
      expect(rowCount).toBe(1)
      const env = {
        PORTCULLIS_URL: server.url,
        PORTCULLIS_GRPC: server.grpc,
        PORTCULLIS_KEY: server.ready.adminKey ?? '',
      }
      const said = await run(process.execPath, [program, small, '--json', '--dir', server.dir], { env, code: 1 })
      expect(JSON.parse(said)).toMatchObject({
        chain: { chain_valid: false, first_bad_seq: 0 },
        holds: { tokens: true, chain: false },
      })
    } finally {
      await server.stop()
    }
  })
})

/** Over the turn of an hour, and without a newline at the end as the published files are. */
function madeTrace(rows: number): string {
  const start = Date.UTC(2023, 10, 16, 18, 58)
  const lines = Array.from({ length: rows }, (_, index) => {
    const time = new Date(start + index * 997).toISOString().replace('T', ' ').replace('Z', '0000')
    return `${time},${(index * 37) % 4000},${1 + ((index * 11) % 700)}`
  })
  return ['TIMESTAMP,ContextTokens,GeneratedTokens', ...lines].join('\r\n')
}
