import type { Collector } from '../collector.ts'
import { isReadable } from '../source-file.ts'
import type { FoundFile, Tree } from '../tree.ts'

/** The texts of scripts, package.json and makefiles that workflows may run, by path. */
export interface Scripts {
  /** False where a single file is judged: what lies beside it is not known. */
  readonly complete: boolean
  /** Undefined where there is no such file; empty where it could not be read. */
  text(path: string): string | undefined
}

const workflowLike = /^\.github\/workflows\/[^/]+\.ya?ml$|(?:^|\/)action\.ya?ml$/i
const manifest = /(?:^|\/)(?:package\.json|GNUmakefile|[Mm]akefile|[Jj]ustfile)$/
const runnable = /(?:^|\/)(?:package\.json|[^/.]+|[^/]+\.(?:sh|bash|zsh))$/
const bytesMax = 512 * 1024
const filesMax = 2000

/** Reads what is named somewhere in a workflow, an action or another script, and nothing else. */
export const scripts: Collector<'repo', Scripts> = async (tree) => {
  const found = new Map<string, string>()
  const flows = tree.matching(workflowLike)
  const candidates = flows.length === 0 ? [] : tree.matching(runnable).filter(({ bytes }) => bytes <= bytesMax)
  if (candidates.length > 0) {
    // What a workflow calls may call the next; deeper than that nobody looks.
    let named = wordsOf(await texts(tree, flows))
    for (let round = 0; round < 2 && named.size > 0; round += 1) {
      const wanted = candidates.filter(({ path }) => !found.has(path) && isNamed(path, named)).slice(0, filesMax)
      const read = await texts(tree, wanted)
      for (const [at, { path }] of wanted.entries()) found.set(path, read[at] ?? '')
      named = wordsOf(read)
    }
  }
  return { complete: !tree.single, text: (path) => found.get(path) }
}

// A manifest needs no naming: `npm run release` reads it. That of a package is named by its folder.
function isNamed(path: string, named: ReadonlySet<string>): boolean {
  if (!manifest.test(path)) return named.has(path.slice(path.lastIndexOf('/') + 1))
  const folder = path.split('/').at(-2)
  return folder === undefined || named.has(folder)
}

async function texts(tree: Tree, files: readonly FoundFile[]): Promise<readonly string[]> {
  const read = await tree.readAll(files)
  return read.map((parsed) => (isReadable(parsed) ? parsed.value.text : ''))
}

function wordsOf(sources: readonly string[]): ReadonlySet<string> {
  const words = new Set<string>()
  for (const source of sources) for (const [word] of source.matchAll(/[\w.-]+/g)) words.add(word)
  return words
}
