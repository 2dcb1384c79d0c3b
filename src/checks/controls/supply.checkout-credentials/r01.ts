import { judgeEach, repoCheck } from '../../check.ts'
import { parseShell } from '../../collect/shell.ts'
import { workflows, type Job, type Step } from '../../collect/workflows.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'

const checkout = 'actions/checkout'
// They push with the credentials that the checkout left.
const pushingActions = new Set([
  'ad-m/github-push-action',
  'changesets/action',
  'endbug/add-and-commit',
  'jamesives/github-pages-deploy-action',
  'peter-evans/create-pull-request',
  'stefanzweifel/git-auto-commit-action',
])

export const r01 = repoCheck({
  id: 'R01',
  title: 'Checkout does not persist credentials in jobs that do not push',
  fixes: 'safe',
  needs: { workflows },
  judge: ({ workflows: files }) =>
    judgeEach(files, 'There is no workflow.', ({ jobs }) =>
      jobs.flatMap((job) => (pushes(job) ? [] : job.steps.flatMap((step) => leavesCredentials(step)))),
    ),
})

function leavesCredentials({ node, uses }: Step): readonly Evidence[] {
  if (uses?.kind !== 'repository' || uses.name.toLowerCase() !== checkout) return []
  const settings = node.map('with')
  const persist = settings?.scalar('persist-credentials')
  if (persist?.text === 'false') return []
  if (persist?.text.includes('${{'))
    return [doubtful(persist, 'Whether the token stays on disk depends on an expression.', { confidence: 'low' })]
  const fix = {
    safety: 'safe',
    description: 'Set persist-credentials to false',
    edits: setEntry(node, ['with', 'persist-credentials'], 'false'),
  } as const
  return [failing(uses.node, 'The checkout leaves its token on disk, and this job does not push.', { fix })]
}

function pushes({ steps }: Job): boolean {
  return steps.some(({ uses, run }) => {
    if (uses?.kind === 'repository') return pushingActions.has(uses.name.toLowerCase())
    if (run === undefined) return false
    return parseShell(run.text).commands.some(
      ({ name, words }) => name === 'git' && words.some(({ text }) => text === 'push'),
    )
  })
}
