import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatEntry, genesisPrev, recordHash } from '../entry.ts'
import type { SinkBatch, SinkEntry } from './ports.ts'

export const origin = 'ledger.example/main'

/** Entries of a log, chained as the ledger chains them. */
export function chain(count: number, note = 'fine', log = 'main'): readonly SinkEntry[] {
  const entries: SinkEntry[] = []
  for (let seq = 0; seq < count; seq += 1) {
    const prev = Buffer.from(entries.at(-1)?.leaf ?? []).toString('hex') || genesisPrev
    const ts = `2026-11-21T18:45:29.${String(seq).padStart(6, '0')}Z`
    const caller = '"caller":{"id":"agt_1","kind":"agent"}'
    const bodyJson = `{${caller},"kind":"decision","method":"/portcullis.v1.HubService/StartRun","note":"${note} “é”","remote":"192.0.2.7"}`
    const entry = Buffer.from(formatEntry({ bodyJson, log, prev, seq, ts }))
    entries.push({ seq, entry, leaf: recordHash(entry) })
  }
  return entries
}

export function batchOf(entries: readonly SinkEntry[]): SinkBatch {
  return { log: 'main', origin, entries }
}

export function checkpoint(size: number, root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=') {
  return {
    log: 'main',
    origin,
    size,
    note: `${origin}\n${size}\n${root}\n\n— ledger.example Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n`,
  }
}

/** A folder with secrets of the test in files. */
export function secretFiles(secrets: Readonly<Record<string, string>>) {
  const dir = mkdtempSync(join(tmpdir(), 'portcullis-sink-'))
  const put = (name: string, text: string): string => {
    const file = join(dir, name)
    writeFileSync(file, `${text}\n`, { mode: 0o600 })
    return file
  }
  const files = Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, put(name, text)]))
  return { files, put, remove: () => rmSync(dir, { recursive: true }) }
}
