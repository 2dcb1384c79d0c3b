import type { Control, Parameters } from '#checks'
import { usage } from '../errors.ts'
import { nearest } from '../nearest.ts'

/** The controls with the checks that `--only` names, by id of a check or a control; all where nothing is named. */
export async function selected(controls: readonly Control[], only: readonly string[]): Promise<readonly Control[]> {
  if (only.length === 0) return controls
  const wanted = new Set<string>()
  for (const word of only) wanted.add(await knownId(controls, word))
  return controls.flatMap((control) => {
    const checks = control.checks.filter(({ id }) => wanted.has(control.id) || wanted.has(id))
    return checks.length === 0 ? [] : [{ ...control, checks }]
  })
}

/** The id that a word means, whatever its case; a usage error that names what was probably meant. */
export async function knownId(controls: readonly Control[], word: string): Promise<string> {
  const ids = controls.flatMap(({ id, checks }) => [id, ...checks.map((check) => check.id)])
  const found = ids.find((id) => id.toLowerCase() === word.toLowerCase())
  if (found !== undefined) return found
  const meant = await nearest(word, ids)
  throw usage(
    `There is no check or control "${word}".${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
    '`portcullis verify list` names them all.',
  )
}

/** `R21.tables=a,b`, as many as there are, by check id. */
export async function parametersOf(
  controls: readonly Control[],
  given: readonly string[],
): Promise<Readonly<Record<string, Parameters>>> {
  const checks = new Map(controls.flatMap((control) => control.checks.map((check) => [check.id, check])))
  const all: Record<string, Parameters> = {}
  for (const text of given) {
    const [, word, name, values] = /^([^.=]+)\.([^.=]+)=(.*)$/s.exec(text) ?? []
    if (word === undefined || name === undefined || values === undefined)
      throw usage(`"${text}" is no parameter of a check.`, 'Write it as --param R21.tables=a,b.')
    const id = await knownId(controls, word)
    const parameters = checks.get(id)?.parameters ?? {}
    const known = Object.keys(parameters)
    if (!known.includes(name)) {
      const meant = await nearest(name, known)
      throw usage(
        `${id} has no parameter "${name}".${meant === undefined ? '' : ` Did you mean ${meant}?`}`,
        known.length === 0 ? 'It has none.' : `It has ${known.join(', ')}.`,
      )
    }
    if (all[id]?.[name] !== undefined) throw usage(`${id}.${name} is given twice.`, 'Write all its values in one: a,b.')
    const listed = values.split(',').flatMap((value) => (value.trim() === '' ? [] : [value.trim()]))
    const { number, default: usual = [] } = parameters[name] ?? {}
    if (number !== undefined && !(listed.length === 1 && isWithin(listed[0] ?? '', number)))
      throw usage(
        `${id}.${name} is one whole number from ${number.min} to ${number.max}, not "${values}".`,
        `Write it as --param ${id}.${name}=${usual.join(',')}.`,
      )
    all[id] = { ...all[id], [name]: listed }
  }
  return all
}

function isWithin(text: string, { min, max }: { readonly min: number; readonly max: number }): boolean {
  return /^[0-9]{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max
}
