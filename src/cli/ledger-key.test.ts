import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseVkey } from '#ledger'
import * as server from '#server'
import { fakeIo, runLine } from './fakes.ts'
import type { ServerRoom } from './server-room.ts'

const dir = mkdtempSync(join(tmpdir(), 'portcullis-key-'))
const room = server as unknown as ServerRoom

describe('portcullis ledger key', () => {
  it('L8: makes a private file once, and prints the public half of it for each log', async () => {
    const file = join(dir, 'key.pem')
    const made = await runLine(`ledger key make ${file}`, fakeIo({ server: () => Promise.resolve(room) }))
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('Keep a copy')])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const before = readFileSync(file, 'utf8')
    const again = await runLine(`ledger key make ${file}`, fakeIo({ server: () => Promise.resolve(room) }))
    expect([again.code !== 0, again.err]).toEqual([true, expect.stringContaining('it is there already')])
    expect(readFileSync(file, 'utf8')).toBe(before)

    const config = join(dir, 'portcullis.yaml')
    writeFileSync(
      config,
      `database: { url: 'postgres://a@127.0.0.1/b' }\naudit: { origin: ledger.example, checkpoints: { keyFile: key.pem } }\n`,
    )
    const shown = await runLine(
      `ledger key show --config ${config} --log acme --log acme/pci`,
      fakeIo({ server: () => Promise.resolve(room) }),
    )
    const keys = shown.out
      .trimEnd()
      .split('\n')
      .map((line) => parseVkey(line))
    expect(keys.map((parsed) => parsed.ok && parsed.key.name)).toEqual([
      'ledger.example/acme',
      'ledger.example/acme/pci',
    ])
    expect(shown.out).not.toContain('PRIVATE')
    const json = await runLine(
      `ledger key show --json --config ${config}`,
      fakeIo({ server: () => Promise.resolve(room) }),
    )
    expect(JSON.parse(json.out).logs.map(({ log }: { log: string }) => log)).toEqual(['main', 'system'])
  })

  it('L8: says what to do where nothing signs', async () => {
    const config = join(dir, 'unsigned.yaml')
    writeFileSync(config, `database: { url: 'postgres://a@127.0.0.1/b' }\n`)
    const shown = await runLine(`ledger key show --config ${config}`, fakeIo({ server: () => Promise.resolve(room) }))
    expect([shown.code !== 0, shown.err]).toEqual([true, expect.stringContaining('ledger key make FILE')])
  })
})

describe('portcullis config print', () => {
  it('L7: ends with the audit modes, as comments, without loading the server, and says where one is not in force', async () => {
    const printed = await runLine('config print', fakeIo({ server: () => Promise.reject(new Error('needs none')) }))
    expect(printed.out).toContain('#   required_offbox, now as required, for there are no sinks:\n')
    expect(printed.out).toContain('#     portcullis.v1.IdentityService/CreateKey\n')
  })
})
