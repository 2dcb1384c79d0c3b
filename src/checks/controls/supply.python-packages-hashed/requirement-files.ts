import { posix } from 'node:path'
import type { RequirementsFile } from '../../collect/packages/requirements.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'

const depthMax = 20

interface Counted {
  readonly total: number
  readonly hashed: number
}

/** Requirements files by path, with what they include. */
export class RequirementFiles {
  /** Those whose installation was judged already. */
  readonly installed = new Set<string>()
  readonly #counted = new Map<string, Counted>()
  readonly #byPath: ReadonlyMap<string, RequirementsFile>
  readonly #byName: ReadonlyMap<string, readonly RequirementsFile[]>

  constructor(files: readonly Parsed<RequirementsFile>[]) {
    const readable = files.flatMap((each) => (isReadable(each) ? [each.value] : []))
    this.#byPath = new Map(readable.map((each) => [each.file.path, each]))
    this.#byName = Map.groupBy(readable, ({ file }) => posix.basename(file.path))
  }

  /** The file of that name in one of the folders, at the top, or, where only one has it, anywhere. */
  find(path: string, folders: readonly string[]): RequirementsFile | undefined {
    for (const folder of [...folders, '']) {
      const found = this.#byPath.get(posix.normalize(posix.join(folder, path)))
      if (found !== undefined) return found
    }
    const named = this.#byName.get(posix.basename(path)) ?? []
    return named.length === 1 ? named[0] : undefined
  }

  /** How many requirements fetch something, and how many of them have a hash; with included files. */
  countedWithIncludes(file: RequirementsFile): Counted {
    const known = this.#counted.get(file.file.path)
    if (known !== undefined) return known
    const seen = new Set<string>()
    let total = 0
    let hashed = 0
    const visit = (each: RequirementsFile, depth: number): void => {
      if (seen.has(each.file.path) || depth > depthMax) return
      seen.add(each.file.path)
      for (const line of each.lines) {
        if (line.direct) continue
        total += 1
        if (line.hashes > 0) hashed += 1
      }
      for (const include of each.includes) {
        const inner = this.find(include, [posix.dirname(each.file.path)])
        if (inner !== undefined) visit(inner, depth + 1)
      }
    }
    visit(file, 0)
    const counted = { total, hashed }
    this.#counted.set(file.file.path, counted)
    return counted
  }
}
