import { judgeEach, repoCheck } from '../../check.ts'
import { contextsIn, flowsOf } from '../../collect/workflows/expression-flow.ts'
import { expressionsIn, type Expression } from '../../collect/workflows/expressions.ts'
import { isReadable, type Parsed } from '../../collect/source-file.ts'
import { scalarsOf, type ScalarValue } from '../../collect/values/value.ts'
import { actions, workflows, type Action, type Job, type Workflow } from '../../collect/workflows/workflows.ts'
import { failing, type Evidence } from '../../evidence.ts'
import { namedSecrets } from './named-secrets.ts'

export const r29 = repoCheck({
  id: 'R29',
  title: 'No workflow passes on all secrets at once',
  fixes: 'safe',
  needs: { workflows, actions },
  judge: ({ workflows: files, actions: own }) => {
    const byPath = new Map(readable(files).map((workflow) => [workflow.file.path, workflow]))
    return judgeEach<Workflow | Action>([...files, ...own], 'There is no workflow and no action.', (value) => [
      ...('jobs' in value ? value.jobs.flatMap((job) => inherited(job, byPath)) : []),
      ...(/secrets/i.test(value.file.text) ? scalarsOf(value.root).flatMap(wholesale) : []),
    ])
  },
})

function readable(files: readonly Parsed<Workflow>[]): readonly Workflow[] {
  return files.flatMap((parsed) => (isReadable(parsed) ? [parsed.value] : []))
}

// A workflow of the same repository gets them all as well: it is as reachable for what its steps run. That its code is reviewed
// together with the caller is why the finding is less sure there.
function inherited({ node, uses }: Job, byPath: ReadonlyMap<string, Workflow>): readonly Evidence[] {
  const secrets = node.scalar('secrets')
  if (uses === undefined || secrets?.text !== 'inherit') return []
  if (uses.kind !== 'local')
    return [failing(secrets, `Every secret of this repository goes to ${uses.node.text}.`, { subject: uses.node.text })]
  const called = byPath.get(uses.path.replace(/^\.\//, ''))
  return [
    failing(secrets, `Every secret of this repository goes to ${uses.path}, whatever it needs.`, {
      confidence: 'medium',
      subject: uses.path,
      fix: called === undefined ? undefined : namedSecrets(node, secrets, called),
    }),
  ]
}

function wholesale(scalar: ScalarValue): readonly Evidence[] {
  if (!scalar.text.includes('${{')) return []
  return expressionsIn(scalar.text).flatMap(({ start, end, text, expression }) => {
    if (expression === undefined || !/secrets/i.test(text)) return []
    const spot = scalar.inside(start, end)
    if (writesOut(expression)) return [failing(spot, 'All secrets at once get into the run.', { subject: text })]
    const computed = contextsIn(expression).some(({ path }) => path[0] === 'secrets' && path[1] === '?')
    if (!computed) return []
    return [
      failing(spot, 'The name of the secret is computed, for which the runner is sent all of them.', {
        confidence: 'medium',
        subject: text,
      }),
    ]
  })
}

function writesOut(expression: Expression): boolean {
  return flowsOf(expression).some((flow) => {
    if (flow.kind !== 'context' || flow.context.path[0] !== 'secrets') return false
    return flow.context.path[1] === '*' || (flow.context.path.length === 1 && flow.whole)
  })
}
