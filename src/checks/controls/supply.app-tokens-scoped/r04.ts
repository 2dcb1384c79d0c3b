import { problemsOf, repoCheck } from '../../check.ts'
import { credentialUsesOf, workingFolder } from '../../collect/publishing/pushing.ts'
import { scripts } from '../../collect/shell/called-scripts.ts'
import { isReadable } from '../../collect/source-file.ts'
import { actionOf, inputOf } from '../../collect/workflows/uses.ts'
import { actions, workflows, type Step } from '../../collect/workflows/workflows.ts'
import { doubtful, stated, type Evidence } from '../../evidence.ts'
import { isAppToken, scopeFindings } from './scope.ts'
import { useFindings } from './uses.ts'

export const r04 = repoCheck({
  id: 'R04',
  title: 'One app token per target repository, in its own variable, with repositories and permissions named',
  fixes: 'safe',
  needs: { workflows, actions, scripts },
  judge: ({ workflows: files, actions: own, scripts: texts }) => {
    const errors = [...files, ...own].flatMap((parsed) => problemsOf(parsed))
    const around = { actions: own, scripts: texts }
    const personal = files.flatMap((parsed) =>
      isReadable(parsed)
        ? parsed.value.jobs.flatMap((job) =>
            foreignCheckouts(job.steps).filter(() =>
              job.steps.some((step) =>
                credentialUsesOf(step, { ...around, folder: workingFolder(step, job, parsed.value) }).some(
                  ({ kind }) => kind === 'push',
                ),
              ),
            ),
          )
        : [],
    )
    const jobs = [
      ...files.flatMap((parsed) => (isReadable(parsed) ? parsed.value.jobs.map(({ steps }) => steps) : [])),
      ...own.flatMap((parsed) => (isReadable(parsed) ? [parsed.value.steps] : [])),
    ].filter((steps) => steps.some((step) => isAppToken(step)))
    if (jobs.length === 0 && personal.length === 0)
      return [...errors, stated('repo', 'NOT_APPLICABLE', 'No workflow asks for a token of an app.')]
    const found = jobs.flatMap((steps) => [
      ...steps.filter((step) => isAppToken(step)).flatMap((step) => scopeFindings(step)),
      ...useFindings(steps),
    ])
    return [...errors, ...found, ...personal]
  },
})

// Another repository with a stored token, and a push later on: the token of an app could reach just that one.
function foreignCheckouts(steps: readonly Step[]): readonly Evidence[] {
  return steps.flatMap((step) => {
    if (actionOf(step.uses) !== 'actions/checkout' || inputOf(step, 'repository') === undefined) return []
    const token = step.node.map('with')?.scalar('token')
    if (token === undefined || !/\bsecrets\s*[.[]/i.test(token.text) || /secrets\.GITHUB_TOKEN\b/i.test(token.text))
      return []
    const detail =
      'A stored token checks out another repository, and this job pushes: a token of an app would reach that repository alone and expire.'
    return [doubtful(token, detail, { confidence: 'low' })]
  })
}
