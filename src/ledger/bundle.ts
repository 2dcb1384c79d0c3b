import { hash } from 'node:crypto'
import * as z from 'zod'
import { canonicalJson, type Json } from '#core'
import { isLogName } from './entry.ts'

/** Names in an export: one folder for each log, and what says what belongs to it (docs/ledger.md). */
export const manifestName = 'manifest.json'
export const exportName = 'export.json'
/** There while an export is under way: which logs, and from where to where. */
export const planName = 'export.partial.json'

export const manifestFormat = 'portcullis-ledger-bundle/1'
export const exportFormat = 'portcullis-ledger-export/1'

const count = z.int().min(0)
const hex = z.string().regex(/^[0-9a-f]{64}$/)
const logName = z.string().refine(isLogName, 'is not a log name')

export const manifestShape = z.strictObject({
  format: z.literal(manifestFormat),
  log: logName,
  /** Of the first entry; of the last one, `from` - 1 where there is none. */
  from: count,
  to: z.int().min(-1),
  entries: count,
  /** What stands before `from`: record hash of the entry before, and the roots of the perfect subtrees, largest first, where known. */
  start: z.strictObject({
    prev: hex,
    frontier: z
      .string()
      .regex(/^(?:[0-9a-f]{64})*$/)
      .nullable(),
  }),
  /** Merkle root over all entries up to `to`; null where what is before `from` is not known. */
  root: hex.nullable(),
  last_hash: hex,
  files: z.array(
    z.strictObject({
      // Beside the manifest, never elsewhere.
      name: z.string().regex(/^[^/\\]{1,255}$/),
      first: count,
      entries: count,
      bytes: count,
      sha256: hex,
    }),
  ),
  /** The exact text of a signed checkpoint over at most `to` + 1 entries. */
  checkpoint: z.string().nullable(),
  /** Exact texts of the entries that say what retention took away before `from`. */
  prunes: z.array(z.string()),
  digest: hex,
})

export const exportShape = z.strictObject({
  format: z.literal(exportFormat),
  logs: z.array(z.strictObject({ log: logName, folder: z.string(), manifest: hex })),
  digest: hex,
})

export type Manifest = z.output<typeof manifestShape>
export type ManifestFile = Manifest['files'][number]
export type ExportIndex = z.output<typeof exportShape>

/** Canonical JSON and a newline, with the digest of all the rest as a member: one flipped bit shows. */
export function seal(value: Readonly<Record<string, Json>>): string {
  const digest = hash('sha256', canonicalJson(value), 'hex')
  return `${canonicalJson({ ...value, digest })}\n`
}

export type Opened<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string }

/** Reads what `seal` wrote, byte for byte. */
export function openSealed<T extends { readonly digest: string }>(text: string, shape: z.ZodType<T>): Opened<T> {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return { ok: false, why: 'is not JSON' }
  }
  const parsed = shape.safeParse(given)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { ok: false, why: `is not of a known form (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})` }
  }
  const { digest, ...rest } = parsed.data
  // Strict shapes: what was parsed is all that was given.
  const sealed = seal(rest as Record<string, Json>)
  if (sealed === text) return { ok: true, value: parsed.data }
  return { ok: false, why: sealed.includes(digest) ? 'is not byte for byte as it was written' : 'was changed' }
}

/** The folder of a log: its name, with `+` for `/`. */
export function folderOf(log: string): string {
  return log.replaceAll('/', '+')
}

export function fileNameOf(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}.ndjson`
}
