import type { Fixed } from '#checks'
import { printable } from '../print.ts'

/** What --fix changed, what each unsafe change may break, and what it left alone and why. */
export function fixLines({ done, left, paths }: Fixed, wanted: 'safe' | 'unsafe'): string {
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
  return `${lines.map(printable).join('\n')}\n`
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
