import { problemsOf, repoCheck } from '../../check.ts'
import { bumpTargets, type BumpTarget } from '../../collect/packages/bump-targets.ts'
import { dependabot } from '../../collect/packages/dependabot.ts'
import { renovate } from '../../collect/packages/renovate.ts'
import { requirements, type RequirementsFile } from '../../collect/packages/requirements.ts'
import { isReadable, SourceFile, type Parsed } from '../../collect/source-file.ts'
import { actions, workflows, type Step, type Workflow } from '../../collect/workflows/workflows.ts'
import { doubtful, failing, stated, type Evidence } from '../../evidence.ts'
import { hasBumpComment, pinsOf, type Pin } from './pins.ts'
import { Updaters } from './updaters.ts'

/**
 * Each kind of lock file, the actions of workflows and base images have an updater that looks after them; a tool at an exact version in a
 * workflow has one that knows how to raise it, or a comment that says how that is done.
 */
export const r08 = repoCheck({
  id: 'R08',
  title: 'Something keeps lock files and pinned tool versions up to date',
  needs: { workflows, actions, dependabot, renovate, bumpTargets, requirements },
  judge: (facts) => {
    const targets = [...facts.bumpTargets, ...actionTarget(facts.workflows), ...pipTarget(facts.requirements)]
    const pins = pinsOf(facts)
    // What an updater does cannot be told from settings that cannot be read.
    const problems = [...facts.dependabot, ...facts.renovate].flatMap(problemsOf)
    if (problems.length > 0) return problems
    if (targets.length === 0 && pins.length === 0)
      return [stated('repo', 'NOT_APPLICABLE', 'Nothing holds versions still: no lock file, no workflow.')]
    const updaters = new Updaters(facts.dependabot, facts.renovate)
    const own = updatesItself(facts.workflows)
    return [
      ...targets.flatMap((target) => judgeTarget(target, updaters, own)),
      ...pins.flatMap((pin) => judgePin(pin, updaters)),
    ]
  },
})

function judgeTarget(target: BumpTarget, updaters: Updaters, own: boolean): readonly Evidence[] {
  const [first] = target.paths
  if (first === undefined || updaters.covers(target)) return []
  const spot = { file: new SourceFile(first, ''), start: 0, end: 0 }
  const more = target.paths.length > 1 ? ` (and ${target.paths.length - 1} more)` : ''
  const details = { subject: `updater of ${target.name}` }
  if (own) {
    const why = `No updater is set up for ${target.name}${more}; a workflow of this repository may do it.`
    return [doubtful(spot, why, { ...details, confidence: 'low' })]
  }
  const why = updaters.none
    ? `Nothing keeps ${target.name}${more} up to date: neither Renovate nor Dependabot is set up.`
    : `No updater looks after ${target.name}${more}.`
  return [failing(spot, why, { ...details, confidence: updaters.none ? 'medium' : 'high' })]
}

function judgePin(pin: Pin, updaters: Updaters): readonly Evidence[] {
  const raised = updaters.raises(pin.action)
  if (raised === true || hasBumpComment(pin.spot)) return []
  const details = { subject: `bump of ${pin.what}` }
  if (raised === undefined) {
    const why = `Whether something raises ${pin.what} depends on presets that lie elsewhere.`
    return [doubtful(pin.spot, why, { ...details, confidence: 'low' })]
  }
  const why = `Nothing raises ${pin.what}: no rule of an updater knows it, and no comment says how.`
  return [failing(pin.spot, why, { ...details, confidence: 'medium' })]
}

function actionTarget(files: readonly Parsed<Workflow>[]): readonly BumpTarget[] {
  const paths = files.flatMap((each) =>
    isReadable(each) &&
    each.value.jobs.some(({ uses, steps }) => [uses, ...steps.map((step) => step.uses)].some(isForeign))
      ? [each.file.path]
      : [],
  )
  const names = ['github-actions']
  return paths.length === 0 ? [] : [{ name: 'the actions of workflows', dependabot: names, renovate: names, paths }]
}

function isForeign(uses: Step['uses']): boolean {
  return uses?.kind === 'repository' || uses?.kind === 'docker'
}

function pipTarget(files: readonly Parsed<RequirementsFile>[]): readonly BumpTarget[] {
  const paths = files.flatMap((each) =>
    isReadable(each) && each.value.byName && each.value.lines.some(({ pinned }) => pinned) ? [each.file.path] : [],
  )
  const renovates = ['pip_requirements', 'pip-compile', 'pip_setup']
  return paths.length === 0 ? [] : [{ name: 'pip', dependabot: ['pip', 'uv'], renovate: renovates, paths }]
}

// Something that runs by the clock and opens pull requests, or an updater that is set up outside of this repository.
function updatesItself(files: readonly Parsed<Workflow>[]): boolean {
  return files.some((each) => {
    if (!isReadable(each)) return false
    const scheduled = each.value.triggers.some(({ name }) => name === 'schedule')
    const steps = each.value.jobs.flatMap((job) => job.steps)
    return steps.some(({ uses, run }) => {
      const name = uses?.kind === 'repository' ? uses.name.toLowerCase() : ''
      if (name === 'renovatebot/github-action') return true
      return (
        scheduled &&
        (name === 'peter-evans/create-pull-request' || /\bgh pr create\b|\brenovate\b/.test(run?.text ?? ''))
      )
    })
  })
}
