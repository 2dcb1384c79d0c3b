import { judgeEach, repoCheck } from '../../check.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import type { ScalarValue } from '../../collect/values/value.ts'
import {
  actions,
  workflows,
  type Action,
  type Job,
  type Step,
  type Workflow,
} from '../../collect/workflows/workflows.ts'
import { doubtful, failing, unjudged, type Evidence, type Fix } from '../../evidence.ts'
import { codeOf, settingsOf } from './sinks.ts'
import { Tracer, type Place, type Taint } from './taint.ts'
import { throughVariables, type Tainted } from './through-variables.ts'

export const r30 = repoCheck({
  id: 'R30',
  title: 'No expression puts text of others into code',
  fixes: 'both',
  needs: { workflows, actions },
  judge: ({ workflows: files, actions: own }) =>
    judgeEach<Workflow | Action>([...files, ...own], 'There is no workflow and no action.', judged),
})

function judged(document: Workflow | Action): readonly Evidence[] {
  const tracer = new Tracer(document)
  if (!('jobs' in document)) return document.steps.flatMap((step) => ofStep(document, tracer, { step }, step))
  return document.jobs.flatMap((job) => [
    ...ofSettings(tracer, job),
    ...job.steps.flatMap((step) => ofStep(document, tracer, { job, step }, step)),
  ])
}

function ofStep(document: Workflow | Action, tracer: Tracer, place: Place, step: Step): readonly Evidence[] {
  return codeOf(step).flatMap((code) => {
    const found = taintedIn(code, tracer, place)
    const tainted = found.filter(({ taint }) => taint !== undefined)
    const fixes = tainted.length > 0 ? throughVariables(document, place, code, tainted) : undefined
    return found.map((each) => judgedAt(code, each, kinds, fixes?.get(each.start)))
  })
}

// There is no fix: what runs a step takes nothing from the environment.
function ofSettings(tracer: Tracer, job: Job): readonly Evidence[] {
  return settingsOf(job).flatMap((setting) =>
    taintedIn(setting, tracer, { job }).map((each) => judgedAt(setting, each, kindsOfSettings, undefined)),
  )
}

function taintedIn(code: ScalarValue, tracer: Tracer, place: Place): readonly Tainted[] {
  if (!code.text.includes('${{')) return []
  return expressionsIn(code.text).flatMap((each): readonly Tainted[] => {
    if (each.expression === undefined) return [{ ...each, taint: undefined }]
    const taint = tracer.of(each.expression, place)
    return taint === undefined ? [] : [{ ...each, taint }]
  })
}

function judgedAt(code: ScalarValue, { start, end, text, taint }: Tainted, as: Kinds, fix: Fix | undefined): Evidence {
  return taint === undefined ? refused(code, start, end, text) : finding(code, start, end, text, taint, as, fix)
}

function refused(code: ScalarValue, start: number, end: number, text: string): Evidence {
  return unjudged('ERROR', code.inside(start, end), `\`${shown(text)}\` is no expression that GitHub would take.`, {
    subject: text,
  })
}

function finding(
  code: ScalarValue,
  start: number,
  end: number,
  text: string,
  { kind, origin }: Taint,
  as: Kinds,
  fix: Fix | undefined,
): Evidence {
  const from = text.toLowerCase() === origin ? `\`${shown(text)}\`` : `\`${shown(text)}\` (from ${origin})`
  const { detail, outcome, confidence } = as[kind]
  return outcome(code.inside(start, end), `${from} ${detail}`, { confidence, subject: text, fix })
}

function shown(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

type Kinds = Readonly<
  Record<Taint['kind'], { outcome: typeof failing; confidence: 'high' | 'medium' | 'low'; detail: string }>
>

const kinds: Kinds = {
  anybody: {
    outcome: failing,
    confidence: 'high',
    detail: 'is text that anybody may choose, and becomes code of this step before it runs.',
  },
  fetched: {
    outcome: failing,
    confidence: 'medium',
    detail: 'holds names or text of whoever opened the pull request or issue, and becomes code of this step.',
  },
  caller: {
    outcome: failing,
    confidence: 'medium',
    detail: 'is text of whoever calls this, wherever they have it from, and becomes code of this step.',
  },
  dispatch: {
    outcome: failing,
    confidence: 'low',
    detail: 'is text of whoever starts this by hand, and becomes code of this step.',
  },
  relayed: {
    outcome: doubtful,
    confidence: 'medium',
    detail: 'may carry on text of others that was given to an earlier step, and becomes code of this one.',
  },
  members: {
    outcome: doubtful,
    confidence: 'low',
    detail:
      'is a name that members of the repository choose, with whatever signs it may hold, and becomes code of this step.',
  },
}

const settings = 'and decides how the steps of this job are run.'
// Whoever may start or call this is meant to choose.
const kindsOfSettings: Kinds = {
  ...kinds,
  anybody: { outcome: failing, confidence: 'high', detail: `is text that anybody may choose, ${settings}` },
  fetched: { outcome: failing, confidence: 'medium', detail: `holds text of whoever opened the request, ${settings}` },
  caller: { outcome: doubtful, confidence: 'low', detail: `is text of whoever calls this, ${settings}` },
  dispatch: { outcome: doubtful, confidence: 'low', detail: `is text of whoever starts this by hand, ${settings}` },
}
