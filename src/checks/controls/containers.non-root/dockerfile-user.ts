import { pathBeside, type Service } from '../../collect/containers/composes.ts'
import { execForm, type Dockerfile, type Instruction, type Stage } from '../../collect/containers/dockerfiles.ts'
import { doubtful, failing, type Evidence } from '../../evidence.ts'
import { runsAsRoot, runsUnprivileged } from '../known-images.ts'

/** What a service builds: its Dockerfile, undefined where that is not in the tree, and the stage that it stops at. */
export function buildOf({
  settings,
  compose,
}: Service): { readonly path?: string; readonly target?: string } | undefined {
  const build = settings.get('build')
  if (build === undefined || (build.kind === 'scalar' && build.value === null)) return undefined
  if (build.kind === 'list') return {}
  const said = (key: string): string | undefined => {
    const text = build.kind === 'map' ? build.text(key) : undefined
    return text === undefined ? undefined : compose.resolve(text).text
  }
  const context = build.kind === 'scalar' ? compose.resolve(build.text).text : (said('context') ?? '.')
  const target = said('target')
  const remote = /^(?:https?:|git:|ssh:|git@|github\.com\/)/.test(context) || context.startsWith('/')
  if (remote || (build.kind === 'map' && build.get('dockerfile_inline') !== undefined)) return {}
  const path = pathBeside(build.file.path, `${context}/${said('dockerfile') ?? 'Dockerfile'}`)
  return { ...(path === undefined ? {} : { path }), ...(target === undefined ? {} : { target }) }
}

/** Root by name or number, whatever the group. */
export function rootName(user: string): boolean {
  const [name = ''] = user.trim().split(':')
  return /^(?:0+|root|ContainerAdministrator)$/i.test(name.trim())
}

/** Judges the stages that are run: the last one, or those that services stop at. Stages in between only build. */
export function judgeDockerfile({ file, stages }: Dockerfile, targets: ReadonlySet<string>): readonly Evidence[] {
  const run = new Set<Stage>()
  for (const target of targets) {
    const stage = stages.find(
      ({ name, index }) => name?.toLowerCase() === target.toLowerCase() || String(index) === target,
    )
    if (stage !== undefined) run.add(stage)
  }
  const last = stages.at(-1)
  if (last !== undefined) run.add(last)
  const development = /(?:^|\/)\.devcontainer\//.test(file.path)
  return [...run].flatMap((stage) => {
    const found = judgeStage(stage)
    if (found === undefined) return []
    return [development ? { ...found, outcome: 'WARN' as const, confidence: 'low' as const } : found]
  })
}

function judgeStage(stage: Stage): Evidence | undefined {
  const user = effectiveUser(stage)
  const base = user === undefined ? rootStage(stage).base : undefined
  if (user !== undefined) {
    const spot = { file: user.file, start: user.start, end: user.end }
    if (user.expanded === undefined)
      return doubtful(spot, 'Who the image runs as depends on an argument of the build.', { confidence: 'low' })
    if (!rootName(user.expanded)) return undefined
    if (dropsRoot(stage))
      return doubtful(spot, 'The image starts as root, and its entrypoint drops that.', { confidence: 'medium' })
    return failing(spot, 'The image runs as root.')
  }
  const subject = `no user in ${base ?? stage.from.text}`
  if (base === undefined)
    return doubtful(stage.baseSpot, 'No USER, and the base image is an argument of the build.', {
      confidence: 'medium',
      subject,
    })
  if (runsUnprivileged(base)) return undefined
  if (dropsRoot(stage))
    return doubtful(stage.baseSpot, 'The image starts as root, and its entrypoint drops that.', {
      confidence: 'medium',
      subject,
    })
  const detail = runsAsRoot(base)
    ? `The stage that runs has no USER, and ${base} runs as root.`
    : `The stage that runs has no USER, and nothing says that ${base} has one.`
  return failing(stage.baseSpot, detail, { confidence: runsAsRoot(base) ? 'high' : 'medium', subject })
}

function effectiveUser(stage: Stage): Instruction | undefined {
  for (const each of lineage(stage)) {
    const user = each.instructions.findLast(({ keyword }) => keyword === 'USER')
    if (user !== undefined) return user
  }
  return undefined
}

function rootStage(stage: Stage): Stage {
  return lineage(stage).at(-1) ?? stage
}

function lineage(stage: Stage): readonly Stage[] {
  const all = [stage]
  for (let parent = stage.parent; parent !== undefined; parent = parent.parent) all.push(parent)
  return all
}

const droppers = new Set(['gosu', 'su-exec', 'setpriv', 'setuidgid', 's6-setuidgid', 'chpst'])

function dropsRoot(stage: Stage): boolean {
  for (const each of lineage(stage)) {
    const starts = each.instructions.findLast(({ keyword }) => keyword === 'ENTRYPOINT')
    if (starts === undefined) continue
    const words = execForm(starts.text) ?? starts.text.split(/\s+/)
    return words.some((word) => droppers.has(word.slice(word.lastIndexOf('/') + 1)))
  }
  return false
}
