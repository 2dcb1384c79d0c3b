import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as contract from '@portcullis/contract'
import type { DescMessage } from '@bufbuild/protobuf'
import { exitCodes } from './errors.ts'
import { fakeIo, fakeServer, runLine, type Answer, type FakeIo, type FakeServer, type Seen } from './fakes.ts'
import { recordKinds } from './record-columns.ts'

const folder = mkdtempSync(join(tmpdir(), 'portcullis-costs-'))
const ioFor = (server: FakeServer): FakeIo => fakeIo({ env: { PORTCULLIS_URL: server.url } })
let files = 0

function file(text: string): string {
  const path = join(folder, `${(files += 1)}.csv`)
  writeFileSync(path, text)
  return path
}

type Lines = readonly { readonly day: string; readonly model: string }[]
const linesOf = (seen: Seen | undefined): Lines => (seen?.message['lines'] ?? []) as Lines

/** Matches all, and has a gap that a later part may name. */
function matching({ message }: Seen): Answer {
  const lines = message['lines'] as Lines
  return {
    body: {
      importId: 'imp_1',
      lines: lines.map(({ model }) => ({
        outcome: 'LINE_OUTCOME_CORRECTED',
        correctionNanoUsd: '1',
        detail: `p/${model}`,
      })),
      correctionNanoUsd: String(lines.length),
      gaps: ['2026-11-19 p/m1500', '2026-11-19 p/other'],
    },
  }
}

describe('portcullis costs import', () => {
  it('H12: sends a thousand lines at a time, does not tear a model apart, and adds up what the parts say', async () => {
    await using server = await fakeServer(matching)
    const rows = Array.from({ length: 999 }, (_, index) => `2026-11-19,p,m${String(index).padStart(4, '0')},1`)
    const torn = Array.from({ length: 3 }, (_, index) => `2026-11-19,p,m1500,${index + 1}`)
    const path = file(['day,provider,model,charged', ...torn, ...rows].join('\n'))
    const { code, out } = await runLine(`costs import --source csv ${path} --json`, ioFor(server))
    expect(server.seen.map((seen) => linesOf(seen).length)).toEqual([999, 3])
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      {
        importIds: ['imp_1', 'imp_1'],
        lines: 1002,
        outcomes: { corrected: 1002 },
        correctionNanoUsd: '1002',
        gaps: ['2026-11-19 p/other'],
      },
    ])
  })

  it('H12: tells what was flagged and what is missing, and ends with 1 where a line was not compared', async () => {
    await using server = await fakeServer(() => ({
      body: {
        lines: [{ outcome: 'LINE_OUTCOME_UNKNOWN_USE', correctionNanoUsd: '5', detail: 'p/m' }],
        correctionNanoUsd: '-2500000000',
        gaps: ['2026-11-18 p/gone'],
      },
    }))
    const path = file('day,provider,model,charged\n2026-11-19,p,m,1\n2026-11-19,p,m,x')
    const { code, out } = await runLine(`costs import --source csv ${path}`, ioFor(server))
    expect(code).toBe(1)
    expect(out).toContain('2 lines: 1 invalid, 1 unknown use.\nCorrections: -$2.50.\n')
    expect(out).toMatch(/line 3 +invalid +charged must be a decimal/)
    expect(out).toContain('2026-11-18 p/gone')
  })

  it('H12: an absurd amount is flagged and does not keep the others from being compared', async () => {
    await using server = await fakeServer(matching)
    const path = file('day,provider,model,charged\n2026-11-19,p,m,99999999999999\n2026-11-19,p,n,1')
    const { code, out } = await runLine(`costs import --source csv ${path} --json`, ioFor(server))
    expect([code, linesOf(server.seen[0]).map(({ model }) => model)]).toEqual([1, ['n']])
    expect(JSON.parse(out)).toMatchObject({
      lines: 2,
      outcomes: { invalid: 1, corrected: 1 },
      flagged: [{ at: 'line 2' }],
    })
  })

  it('H12: a part is also bounded by its bytes: names may be long', async () => {
    await using server = await fakeServer(matching)
    const rows = Array.from({ length: 900 }, (_, index) => `2026-11-19,p,m,${'漢'.repeat(400)}${index}`)
    await runLine(
      `costs import --source csv ${file(['day,provider,model,key', ...rows].join('\n'))} --json`,
      ioFor(server),
    )
    expect(server.seen.map((seen) => linesOf(seen).length).reduce((sum, lines) => sum + lines, 0)).toBe(900)
    for (const { message } of server.seen) expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThan(1024 * 1024)
  })

  it('H12: --dry-run only reads', async () => {
    await using server = await fakeServer(matching)
    const path = file('day,provider,model\n2026-11-19,p,m')
    const { code, out } = await runLine(`costs import --source csv --dry-run ${path}`, ioFor(server))
    expect([code, out, server.seen]).toEqual([0, '1 line: 1 readable.\nCorrections: $0.00.\n', []])
  })

  it.each([
    ['costs import x.csv', '--source'],
    ['costs import --source csv /nowhere/at/all', 'cannot be read'],
    ['costs import --source magic x.csv', 'anthropic'],
    ['costs drift --from yesterday', '2026-11-21'],
    ['export charges --from 2026-11-01', 'zone'],
    ['export attempts --format xml', 'ndjson'],
  ])('U1: `%s` is refused with what to do', async (line, said) => {
    await using server = await fakeServer(matching)
    const { code, err } = await runLine(line, ioFor(server))
    expect([code, server.seen]).toEqual([exitCodes.usage, []])
    expect(err).toContain(said)
  })
})

describe('portcullis export', () => {
  it('H12: pages are read to their end; a cell that a spreadsheet would run is none, a negative amount stays a number', async () => {
    const rows = [{ BilledCost: '-0.5', ChargeDescription: '=1+1', Tags: { a: 'b' } }]
    await using server = await fakeServer(({ message }) => ({
      body: { jsonLines: `${JSON.stringify(rows[0])}\n`, nextPageToken: message['pageToken'] === '' ? 'two' : '' },
    }))
    const { out } = await runLine('export charges --format csv', ioFor(server))
    const line = `"-0.5","'=1+1","{""a"":""b""}"`
    expect(out).toBe(`"BilledCost","ChargeDescription","Tags"\r\n${line}\r\n${line}\r\n`)
  })

  it('H12: waits where the server asks for it, and never overwrites a file', async () => {
    await using server = await fakeServer((_, count) =>
      count === 1
        ? { status: 429, body: { code: 'rate.limited', title: 'Too many calls.' } }
        : { body: { runs: [{ id: 'run_1', tokens: { input: '5' } }], nextPageToken: '' } },
    )
    const io = ioFor(server)
    const path = join(folder, 'runs.csv')
    const { code } = await runLine(`export runs --workflow nightly --format csv --out ${path}`, io)
    expect([code, io.slept]).toEqual([0, [1000]])
    expect(server.seen[0]?.message).toMatchObject({ workflow: 'nightly', pageSize: 200 })
    expect(readFileSync(path, 'utf8').split('\r\n')[1]).toMatch(/^"run_1",/)
    const again = await runLine(`export runs --out ${path}`, ioFor(server))
    expect([again.code, again.err]).toEqual([exitCodes.usage, expect.stringContaining('exists already')])
    const unsaid = await runLine('export runs --json', ioFor(server))
    expect([unsaid.code, unsaid.out]).toEqual([exitCodes.usage, expect.stringContaining('--out FILE')])
  })

  it('H12: the columns of a table are all fields that the contract has', () => {
    const messages: Readonly<Record<keyof typeof recordKinds, DescMessage>> = {
      attempts: contract.PromptAttemptSchema,
      runs: contract.RunSchema,
      events: contract.RunEventSchema,
      tasks: contract.TaskSchema,
      notes: contract.NoteSchema,
      changelog: contract.ChangelogEntrySchema,
      benchmarks: contract.BenchmarkSchema,
    }
    for (const [name, { columns }] of Object.entries(recordKinds)) {
      const fields = messages[name as keyof typeof messages].fields.flatMap(({ jsonName }) =>
        jsonName === 'tokens'
          ? contract.TokenCountsSchema.fields.map((inner) => `tokens.${inner.jsonName}`)
          : [jsonName],
      )
      expect([name, [...columns].toSorted()]).toEqual([name, fields.toSorted()])
    }
  })
})
