import { formatEntry, genesisPrev, recordHash } from './entry.ts'

/** The entries of a log as the database writes them; `bodyOf` gives the canonical body of each. */
export function makeEntries(
  size: number,
  log = 'main',
  bodyOf: (seq: number) => string = (seq) => `{"id":"ent_${seq}","reason":"because of ${seq}, in words: é ☃"}`,
): readonly Buffer[] {
  let prev = genesisPrev
  return Array.from({ length: size }, (_, seq) => {
    const ts = `2026-11-21T18:45:${String(29 + Math.floor(seq / 1_000_000))}.${String(seq % 1_000_000).padStart(6, '0')}Z`
    const entry = Buffer.from(formatEntry({ bodyJson: bodyOf(seq), log, prev, seq, ts }))
    prev = recordHash(entry).toString('hex')
    return entry
  })
}
