import { judgeEach, repoCheck } from '../../check.ts'
import { isScriptPath, shellScripts, type ShellScriptFile } from '../../collect/shell/ops-scripts.ts'
import type { Source } from '../../collect/sources/source.ts'
import { sources } from '../../collect/sources/sources.ts'
import { workflows, type Workflow } from '../../collect/workflows/workflows.ts'
import { isReadable, type Parsed, type Spot } from '../../collect/source-file.ts'
import { scriptOf } from '../../collect/shell/script.ts'
import { doubtful, failing, unjudged, type Evidence } from '../../evidence.ts'
import { destructiveCalls, destructiveTrigger } from './destructive-code.ts'
import { destructionOf, type Destruction } from './destructive-shell.ts'

export const r24 = repoCheck({
  id: 'R24',
  title: 'Scripts that destroy something run behind the ops guard',
  needs: { shellScripts, sources, workflows },
  judge: ({ shellScripts: shells, sources: { files }, workflows: flows }) => {
    const behind = guardedPaths(shells, flows)
    const code = files.filter(({ file }) => isScriptPath(file.path))
    const inCode = code.flatMap((source) => (behind.has(source.file.path) ? [] : judgedCode(source)))
    if (shells.length === 0 && code.length > 0) return inCode
    return [
      ...judgeEach(shells, 'There is no script for operations.', (script) =>
        [...behind].some((path) => sameFile(path, script.file.path)) ? [] : judgedShell(script),
      ),
      ...inCode,
    ]
  },
})

function judgedShell({ file, run }: ShellScriptFile): readonly Evidence[] {
  const found = run.commands.flatMap((command) => {
    const destruction = destructionOf(command, run)
    return destruction === undefined ? [] : [{ command, destruction }]
  })
  if (found.length === 0 || demandsConfirmation(run)) return []
  const asks = run.commands.some(({ name, words }) => name === 'read' && words.some(({ text }) => /^-\w*p/.test(text)))
  return found.map(({ command: { start, end }, destruction }) => evidence({ file, start, end }, destruction, asks))
}

// Itself it runs its work behind the guard, or stops where nobody confirmed.
function demandsConfirmation({ commands, compared }: ShellScriptFile['run']): boolean {
  if (commands.some((command) => guarded(command.words.map(({ text }) => text)) !== undefined)) return true
  return compared.some((text) => /OPS_CONFIRM|^--?(?:confirm|yes-i-am-sure)|\bCONFIRM(?:ED)?\b/i.test(text))
}

function judgedCode(source: Source): readonly Evidence[] {
  if (!source.mentions(destructiveTrigger)) return []
  if (source.unclear !== undefined)
    return [unjudged('UNKNOWN', source.spot({ from: 0, to: 0 }), source.unclear, { subject: 'unclear source' })]
  const found = destructiveCalls(source)
  if (found.length === 0) return []
  const gate = /['"`]--confirm\b|\bOPS_CONFIRM\b|\b(?:runGuarded|guarded)\(/
  if (source.mentions(gate)) return []
  return found.map(({ node, destruction }) => evidence(source.spot(node), destruction, false))
}

function evidence(spot: Spot, { what, outcome, confidence }: Destruction, asks: boolean): Evidence {
  const detail = asks
    ? `It destroys ${what} after a question on the terminal: nothing records it.`
    : `It destroys ${what}, and nobody has to confirm it.`
  return asks || outcome === 'WARN'
    ? doubtful(spot, detail, { confidence: 'low' })
    : failing(spot, detail, { confidence })
}

// Paths that other scripts and workflows run as `portcullis ops run … -- path`.
function guardedPaths(
  shells: readonly Parsed<ShellScriptFile>[],
  flows: readonly Parsed<Workflow>[],
): ReadonlySet<string> {
  const fromShells = shells.flatMap((parsed) => (isReadable(parsed) ? parsed.value.run.commands : []))
  const fromFlows = flows.flatMap((parsed) =>
    isReadable(parsed)
      ? parsed.value.jobs.flatMap(({ steps }) =>
          steps.flatMap(({ run }) => (run?.text.includes('ops run') === true ? scriptOf(run).commands : [])),
        )
      : [],
  )
  return new Set(
    [...fromShells, ...fromFlows].flatMap(({ words }) => {
      const path = guarded(words.map(({ text }) => text))
      return path === undefined || path === '' ? [] : [path.replace(/^\.\//, '')]
    }),
  )
}

// What follows `portcullis ops run … --`: the command that it guards.
function guarded(words: readonly string[]): string | undefined {
  const at = words.findIndex((text) => /(?:^|\/)portcullis(?:\.js)?$/.test(text))
  if (at === -1 || words[at + 1] !== 'ops' || words[at + 2] !== 'run') return undefined
  const rest = words.slice(words.indexOf('--', at) + 1)
  return rest.find((text) => !/^(?:ba|da)?sh$|^(?:node|python3?|tsx|npx)$/.test(text)) ?? ''
}

function sameFile(named: string, path: string): boolean {
  return named === path || named.endsWith(`/${path}`) || path.endsWith(`/${named}`)
}
