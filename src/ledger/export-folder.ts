import { hash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { exportFormat, exportName, folderOf, manifestName, planName, seal } from './bundle.ts'
import { writeInOneStep } from './bundle-file.ts'
import { BundleWriter } from './bundle-writer.ts'
import { ExportUnusable } from './export-verify.ts'

const planFormat = 'portcullis-ledger-export-plan/1'

const plannedShape = z.object({
  log: z.string(),
  /** Seq of the first and of the last entry that the export is to hold. */
  from: z.int().min(0),
  to: z.int().min(-1),
  /** Record hash of the entry before `from`, and the frontier there in hex, where known. */
  prev: z.string(),
  frontier: z.string().nullable(),
  checkpoint: z.string().nullable(),
  prunes: z.array(z.string()),
})

const planShape = z.object({ format: z.literal(planFormat), asked: z.string(), logs: z.array(plannedShape) })

/** One log of an export, fixed when the export begins, so that one that is resumed ends where it was to end. */
export type PlannedLog = Readonly<Omit<z.output<typeof plannedShape>, 'prunes'>> & {
  /** Exact texts of the entries that say what was taken away before `from`. */
  readonly prunes: readonly string[]
}

/** The folder of an export while it is written; whole once `export.json` is in it. */
export class ExportFolder {
  readonly logs: readonly PlannedLog[]
  readonly #dir: string

  private constructor(dir: string, logs: readonly PlannedLog[]) {
    this.#dir = dir
    this.logs = logs
  }

  /**
   * Begins an export, or goes on with one that was torn. `asked` says what is to be exported: a torn export of something else is
   * not gone on with. Throws ExportUnusable where the folder is not free for it.
   */
  static async open(dir: string, asked: string, plan: () => Promise<readonly PlannedLog[]>): Promise<ExportFolder> {
    const names = existsSync(dir) ? readdirSync(dir) : []
    if (names.includes(exportName)) {
      throw new ExportUnusable(
        'this folder holds a whole export already',
        `${dir}: name another folder, nothing is overwritten`,
      )
    }
    if (names.includes(planName)) return new ExportFolder(dir, readPlan(dir, asked))
    if (names.length > 0) {
      throw new ExportUnusable('this folder is not empty', `${dir}: name a folder that is empty or not there yet`)
    }
    const logs = await plan()
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    writeInOneStep(dir, planName, `${JSON.stringify({ format: planFormat, asked, logs })}\n`)
    return new ExportFolder(dir, logs)
  }

  /** A writer that goes on where this log stopped; undefined where the log is whole already. */
  writer({ log, from, prev, frontier }: PlannedLog): BundleWriter | undefined {
    const folder = join(this.#dir, folderOf(log))
    if (existsSync(join(folder, manifestName))) return undefined
    const known = frontier === null ? undefined : Buffer.from(frontier, 'hex')
    return new BundleWriter(folder, { log, from, prev, frontier: known })
  }

  /** Says that every log is whole. */
  finish(): void {
    const logs = this.logs.map(({ log }) => {
      const folder = folderOf(log)
      const manifest = readFileSync(join(this.#dir, folder, manifestName))
      return { log, folder, manifest: hash('sha256', manifest, 'hex') }
    })
    writeInOneStep(this.#dir, exportName, seal({ format: exportFormat, logs }))
    rmSync(join(this.#dir, planName))
  }
}

function readPlan(dir: string, asked: string): readonly PlannedLog[] {
  let plan: z.output<typeof planShape>
  try {
    plan = planShape.parse(JSON.parse(readFileSync(join(dir, planName), 'utf8')))
  } catch (error) {
    throw new ExportUnusable(
      'the export cannot be gone on with',
      `${join(dir, planName)}: export into another folder`,
      error,
    )
  }
  if (plan.asked === asked) return plan.logs
  throw new ExportUnusable(
    'this folder holds the beginning of another export',
    `${dir}: it was begun with ${plan.asked}; ask for the same again, or name another folder`,
  )
}
