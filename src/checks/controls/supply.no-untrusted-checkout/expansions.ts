import { scriptOf, type ShellScript } from '../../collect/shell/script.ts'
import { environmentText, exportedBefore, type Standing } from './sources.ts'

const textsMax = 32
// No name of a branch has more of them, and no script more such words.
const variablesMax = 8
const wordsMax = 5000
const charactersMax = 2048
const variable = /\$(?:\{([A-Za-z_]\w*)[^{}]*\}|([A-Za-z_]\w*))/g

/**
 * What a word of a script may become: with what the script, its environment or an earlier step sets its variables to. A command whose
 * output it takes stays as it is written, and so does a variable that nothing here sets.
 */
export function expansionsOf(word: string, script: ShellScript, standing: Standing): readonly string[] {
  const texts = new Set([word])
  const count = (expanded.get(script) ?? 0) + 1
  if (!word.includes('$') || count > wordsMax) return [word]
  expanded.set(script, count)
  for (const text of texts) {
    for (const [written, braced, bare] of [...text.matchAll(variable)].slice(0, variablesMax)) {
      for (const value of valuesOf(braced ?? bare ?? '', script, standing)) {
        const next = text.replaceAll(written, () => value)
        if (next.length <= charactersMax && texts.size < textsMax) texts.add(next)
      }
    }
    if (texts.size >= textsMax) break
  }
  return [...texts]
}

const expanded = new WeakMap<ShellScript, number>()

function valuesOf(name: string, { assigned }: ShellScript, standing: Standing): readonly string[] {
  const own = (assigned.get(name) ?? []).map(withoutQuotes)
  const environment = environmentText(name, standing)
  if (environment !== undefined) return [...own, environment]
  if (name === 'GITHUB_HEAD_REF') return [...own, '${{ github.head_ref }}']
  const exported = own.length > 0 ? undefined : exportedBefore(name, standing)
  if (exported === undefined) return own
  const { run } = exported.step
  return expansionsOf(exported.text, run === undefined ? empty : scriptOf(run), exported.standing)
}

const empty: ShellScript = { commands: [], assigned: new Map(), compared: [], errors: [] }

function withoutQuotes(text: string): string {
  return text.replaceAll(/["']/g, '')
}
