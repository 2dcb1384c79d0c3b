import type { Fixed } from '#checks'
import { printable } from '../print.ts'

/** What the rounds of --fix changed, what each unsafe change may break, and what was left alone in the end and why. */
export function fixLines(rounds: readonly Fixed[], wanted: 'safe' | 'unsafe'): string {
  const done = rounds.flatMap((round) => round.done)
  const left = rounds.at(-1)?.left ?? []
  const paths = [...new Set(rounds.flatMap((round) => round.paths))].toSorted()
  if (done.length === 0 && left.length === 0) return 'There is nothing that --fix could repair.\n'
  const lines = [
    done.length === 0
      ? 'Nothing was changed.'
      : `Changed ${count(done.length, 'finding', 'findings')} in ${count(paths.length, 'file', 'files')}: ${paths.join(', ')}.`,
    ...done.map(({ check, finding, fix }) => {
      const risk = fix.safety === 'unsafe' ? ` It may break something: ${fix.risk ?? 'it is not known what.'}` : ''
      return `  ${check} ${placeOf(finding)}  ${sentence(fix.description)}${risk}`
    }),
    ...(left.length === 0 ? [] : ['Left alone:']),
    ...left.map(({ check, finding, fix, why }) => {
      const risk = wanted === 'safe' && fix.risk !== undefined ? ` ${fix.risk}` : ''
      return `  ${check} ${placeOf(finding)}  ${sentence(fix.description)} ${why}${risk}`
    }),
  ]
  // Nor are names of files commands to the runner whose log this stands in.
  return `${lines.map((line) => printable(line).replaceAll(/##(?=\w{0,20}\[)/g, String.raw`#\u{23}`)).join('\n')}\n`
}

function placeOf({ path, line }: Fixed['done'][number]['finding']): string {
  return [path, line].filter((part) => part !== undefined).join(':')
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

function count(number: number, one: string, more: string): string {
  return `${number} ${number === 1 ? one : more}`
}
