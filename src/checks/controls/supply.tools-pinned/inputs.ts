import { expressionsIn } from '../../collect/workflows/expressions.ts'
import { matrixValues } from '../../collect/workflows/matrix.ts'
import { actionOf } from '../../collect/workflows/uses.ts'
import type { MapValue, ScalarValue, Value } from '../../collect/values/value.ts'
import type { Step } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { toolInputs, type ToolInput } from './tool-actions.ts'
import { runtimePrecision, runtimes, toolPrecision } from './version.ts'

/** What the inputs of an action say on the version of what it installs. `env` may be set in the maps around, the nearest first;
 * `named` are the tools whose version a file of the repository names. */
export function judgeInputs(
  step: Step,
  around: readonly MapValue[],
  job: MapValue | undefined,
  named: ReadonlySet<string>,
): readonly Evidence[] {
  const rows = toolInputs[actionOf(step.uses) ?? '']
  return rows === undefined ? [] : rows.flatMap((row) => judgeInput(step, row, around, job, named))
}

function judgeInput(
  { node, uses }: Step,
  row: ToolInput,
  around: readonly MapValue[],
  job: MapValue | undefined,
  named: ReadonlySet<string>,
): readonly Evidence[] {
  const settings = node.map('with')
  const given = settings?.entries.find(({ key }) => key.text.toLowerCase() === row.input.toLowerCase())?.value
  if (given === undefined || (given.kind === 'scalar' && given.text.trim() === '')) {
    if (row.fromFile === true && named.has(row.tool)) return []
    if (uses === undefined || row.newest === undefined || row.newest.some((name) => settings?.text(name) !== undefined))
      return []
    const why = `Nothing names a version of ${row.tool} (\`${row.input}\`): the newest is taken.`
    return [failing(uses.node, why, { confidence: 'medium', subject: `${row.tool} newest` })]
  }
  return versionsOf(given, row, around, job).flatMap(judgeVersion)
}

/** The tools, not languages, that a step asks for at an exact version. */
export function pinnedInputs(
  step: Step,
  around: readonly MapValue[],
  job: MapValue | undefined,
): readonly { readonly tool: string; readonly version: string; readonly scalar: ScalarValue }[] {
  const rows = toolInputs[actionOf(step.uses) ?? ''] ?? []
  return rows.flatMap((row) => {
    const given = step.node.map('with')?.get(row.input)
    return versionsOf(given, row, around, job).filter(
      ({ tool, version }) => !runtimes.has(tool) && toolPrecision(version) === 'exact',
    )
  })
}

interface NamedVersion {
  readonly tool: string
  readonly version: string
  readonly scalar: ScalarValue
  readonly tested: boolean
}

function versionsOf(
  given: Value | undefined,
  row: ToolInput,
  around: readonly MapValue[],
  job: MapValue | undefined,
): readonly NamedVersion[] {
  if (given?.kind !== 'scalar') return []
  return valuesOf(given, around, job).flatMap(({ scalar, tested }) =>
    scalar.text.split(row.list === true ? /[\s,]+/ : '\n').flatMap((part) => {
      const text = part.trim()
      if (text === '') return []
      const at = row.list === true ? text.indexOf('@', 1) : -1
      if (row.list !== true) return [{ tool: row.tool, version: text, scalar, tested }]
      const [tool, version] = at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
      return [{ tool, version, scalar, tested }]
    }),
  )
}

function judgeVersion({ tool, version, scalar, tested }: NamedVersion): readonly Evidence[] {
  // A version of protoc has two numbers.
  if (tool === 'protoc' && /^v?\d{2,}\.\d+$/.test(version)) return []
  const runtime = runtimes.has(tool)
  const precision = runtime ? runtimePrecision(tool, version) : toolPrecision(version)
  if (precision === 'exact' || precision === 'line') return []
  const subject = `${tool} ${version}`
  if (precision === 'unclear')
    return [doubtful(scalar, `Which version of ${tool} is taken is decided elsewhere.`, { confidence: 'low', subject })]
  const what = version === '' ? `Nothing names a version of ${tool}.` : `"${version}" is no exact version of ${tool}.`
  // What a matrix runs through is what is tested, not what is relied on.
  if (runtime && (tested || precision === 'lines')) return [doubtful(scalar, what, { confidence: 'low', subject })]
  return [failing(scalar, what, { subject })]
}

interface Resolved {
  readonly scalar: ScalarValue
  /** From the matrix of the job. */
  readonly tested: boolean
}

// The values behind `${{ matrix.x }}` and `${{ env.X }}`, where the file has them; itself otherwise.
function valuesOf(scalar: ScalarValue, around: readonly MapValue[], job: MapValue | undefined): readonly Resolved[] {
  const [found, more] = scalar.text.includes('${{') ? expressionsIn(scalar.text) : []
  const whole = found !== undefined && more === undefined && found.end - found.start === scalar.text.trim().length
  if (!whole || found.expression?.kind !== 'context') return [{ scalar, tested: false }]
  const [context, ...path] = found.expression.path
  if (context === 'matrix' && job !== undefined) {
    const values = matrixValues(job, path)
    if (values !== undefined) return values.map((value) => ({ scalar: value, tested: true }))
  }
  if (context === 'env') {
    for (const map of around) {
      const value = map.map('env')?.entries.find(({ key }) => key.text.toLowerCase() === path[0])?.value
      if (value?.kind === 'scalar') return [{ scalar: value, tested: false }]
    }
  }
  return [{ scalar, tested: false }]
}
