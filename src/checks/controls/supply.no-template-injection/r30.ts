import { judgeEach, repoCheck } from '../../check.ts'
import { expressionsIn } from '../../collect/workflows/expressions.ts'
import type { ScalarValue } from '../../collect/values/value.ts'
import { actions, workflows, type Action, type Step, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, unjudged, type Evidence, type Fix } from '../../evidence.ts'
import { codeOf } from './sinks.ts'
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
  return document.jobs.flatMap((job) => job.steps.flatMap((step) => ofStep(document, tracer, { job, step }, step)))
}

function ofStep(document: Workflow | Action, tracer: Tracer, place: Place, step: Step): readonly Evidence[] {
  return codeOf(step).flatMap((code) => {
    if (!code.text.includes('${{')) return []
    const found = expressionsIn(code.text).flatMap((each): readonly Tainted[] => {
      if (each.expression === undefined) return [{ ...each, taint: undefined }]
      const taint = tracer.of(each.expression, place)
      return taint === undefined ? [] : [{ ...each, taint }]
    })
    const tainted = found.filter(({ taint }) => taint !== undefined)
    const fixes = tainted.length > 0 ? throughVariables(document, place, code, tainted) : undefined
    return found.map(({ start, end, text, taint }) =>
      taint === undefined ? refused(code, start, end, text) : finding(code, start, end, text, taint, fixes?.get(start)),
    )
  })
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
  fix: Fix | undefined,
): Evidence {
  const from = text.toLowerCase() === origin ? `\`${shown(text)}\`` : `\`${shown(text)}\` (from ${origin})`
  const { detail, outcome, confidence } = kinds[kind]
  return outcome(code.inside(start, end), `${from} ${detail}`, { confidence, subject: text, fix })
}

function shown(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text
}

const kinds = {
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
} as const satisfies Record<Taint['kind'], unknown>
