import { flowsOf } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn, type FoundExpression } from '../../collect/workflows/expressions.ts'
import { matrixValues } from '../../collect/workflows/matrix.ts'
import type { Spot } from '../../collect/source-file.ts'
import type { MapValue, ScalarValue, Value } from '../../collect/values/value.ts'
import type { Action, Job, Step, Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, type Evidence } from '../../evidence.ts'
import { isPinned, unpinned } from './image.ts'

/** The images that a workflow or an action runs: of containers, of services, of `docker://`. */
export function imagesOfWorkflow(value: Workflow | Action): readonly Evidence[] {
  if ('jobs' in value) return value.jobs.flatMap(imagesOfJob)
  const own = value.runs.scalar('image')
  const direct = own?.text.startsWith('docker://') === true ? judged(own, withoutScheme(own.text), undefined) : []
  // Any other image of an action is a Dockerfile of this repository.
  return [...direct, ...value.steps.flatMap((step) => ofStep(step, undefined))]
}

function imagesOfJob(job: Job): readonly Evidence[] {
  const services = job.node.map('services')?.entries.map(({ value }) => value) ?? []
  const containers = [job.node.get('container'), ...services].flatMap(imageOf)
  return [
    ...containers.flatMap((image) => judged(image, withoutScheme(image.text), job.node)),
    ...job.steps.flatMap((step) => ofStep(step, job.node)),
  ]
}

function imageOf(container: Value | undefined): readonly ScalarValue[] {
  const image = container?.kind === 'map' ? container.scalar('image') : container
  return image?.kind === 'scalar' && image.text.trim() !== '' ? [image] : []
}

function ofStep({ uses }: Step, job: MapValue | undefined): readonly Evidence[] {
  return uses?.kind === 'docker' ? judged(uses.node, uses.image, job) : []
}

function withoutScheme(image: string): string {
  return image.trim().replace(/^docker:\/\//, '')
}

function judged(node: ScalarValue, image: string, job: MapValue | undefined): readonly Evidence[] {
  if (isPinned(image)) return []
  const expressions = expressionsIn(image)
  const last = expressions.at(-1)
  if (last === undefined) return [unpinned(node, image)]
  const possible = expressions.map((each) => valuesOf(each, job))
  const combinations = possible.reduce((product, values) => product * (values?.length ?? Number.POSITIVE_INFINITY), 1)
  if (combinations > combinationsMax) {
    // A digest stands at the end, and no expression is there.
    if (/:[\w.-]+$/.test(image.slice(last.end))) return [unpinned(node, image, 'medium')]
    return [
      doubtful(node, `Which image ${image} is, is known to the run alone.`, { confidence: 'low', subject: image }),
    ]
  }
  return substituted(image, expressions, possible as readonly (readonly Possible[])[]).flatMap(({ text, at }) =>
    text === '' || isPinned(text) ? [] : [unpinned(at ?? node, text)],
  )
}

interface Possible {
  readonly text: string
  /** Where it is written, if that is not the image itself. */
  readonly at?: Spot
}

function valuesOf({ expression }: FoundExpression, job: MapValue | undefined): readonly Possible[] | undefined {
  if (expression === undefined) return undefined
  const found: Possible[] = []
  for (const flow of flowsOf(expression)) {
    if (flow.kind === 'text') {
      found.push({ text: flow.text })
      continue
    }
    const [root, ...path] = flow.kind === 'context' ? flow.context.path : []
    const values = root === 'matrix' && job !== undefined ? matrixValues(job, path) : undefined
    if (values === undefined || values.some(({ text }) => text.includes('${{'))) return undefined
    found.push(...values.map((value) => ({ text: value.text, at: value })))
  }
  return found
}

const combinationsMax = 256

// Each combination once; the place is that of the value where the whole image is one.
function substituted(
  image: string,
  expressions: readonly FoundExpression[],
  possible: readonly (readonly Possible[])[],
): readonly Possible[] {
  const [first] = expressions
  if (expressions.length === 1 && first?.start === 0 && first.end === image.length) return possible[0] ?? []
  let texts = [image.slice(0, first?.start)]
  for (const [index, { end }] of expressions.entries()) {
    const next = image.slice(end, expressions[index + 1]?.start)
    texts = texts.flatMap((text) => (possible[index] ?? []).map((value) => text + value.text + next))
  }
  return [...new Set(texts)].map((text) => ({ text }))
}
