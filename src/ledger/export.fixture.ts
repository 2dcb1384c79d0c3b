import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { BundleWriter } from './bundle-writer.ts'
import { signCheckpoint } from './checkpoint.ts'
import { genesisPrev, recordHash } from './entry.ts'
import { ExportFolder, type PlannedLog } from './export-folder.ts'
import { makeEntries } from './log.fixture.ts'
import { signerOf } from './note.ts'
import { Frontier } from './tree.ts'

export const main = makeEntries(60)
export const system = makeEntries(9, 'system')
export const other = makeEntries(60, 'main', (seq) => `{"id":"other_${seq}"}`)
export const fileBytes = 3000

export const keys = generateKeyPairSync('ed25519')
export const signer = signerOf('ledger.example/main', keys.privateKey)
export const rootAt = (entries: readonly Buffer[], size: number): string =>
  frontierAt(entries, size).root().toString('hex')

export function frontierAt(entries: readonly Buffer[], size: number): Frontier {
  const frontier = new Frontier()
  for (const entry of entries.slice(0, size)) frontier.push(recordHash(entry))
  return frontier
}

export function checkpointOf(entries: readonly Buffer[], size: number): string {
  return signCheckpoint({ origin: 'ledger.example/main', size, root: rootAt(entries, size) }, [signer])
}

export const planned = (log: string, size: number, more: Partial<PlannedLog> = {}): PlannedLog => ({
  log,
  from: 0,
  to: size - 1,
  prev: genesisPrev,
  frontier: null,
  checkpoint: null,
  prunes: [],
  ...more,
})

export async function exportTo(dir: string): Promise<void> {
  const checkpoint = checkpointOf(main, 50)
  const logs = [planned('main', 60, { checkpoint }), planned('system', 9)]
  const folder = await ExportFolder.open(dir, 'all', () => Promise.resolve(logs))
  for (const one of folder.logs) {
    // Small files, so that there are several: what the product does by the size of its own.
    const writer = new BundleWriter(join(dir, one.log), { ...one, frontier: undefined }, fileBytes)
    for (const entry of one.log === 'main' ? main : system) writer.add(entry)
    writer.finish({ checkpoint: one.checkpoint ?? undefined })
  }
  folder.finish()
}
