import { judgeEach, problemsOf, repoCheck } from '../../check.ts'
import { dependabot, type DependabotUpdate } from '../../collect/packages/dependabot.ts'
import { lockedProjects, type LockedProject, type WaitingManager } from '../../collect/packages/manifests.ts'
import { renovate } from '../../collect/packages/renovate.ts'
import { isReadable } from '../../collect/source-file.ts'
import { texts, type MapValue, type ScalarValue } from '../../collect/values/value.ts'
import { doubtful, failing, stated, type Evidence, type Fix } from '../../evidence.ts'
import { setEntry } from '../../fix/edits.ts'
import { daysOf } from './duration.ts'

/**
 * Each entry of Dependabot has to wait. A package manager that was told to wait too short fails; one that was told nothing fails only
 * where no updater looks after its lock file, and is a hint otherwise: what the updater takes is old enough, what it brings along is not
 * looked at.
 */
export const r06 = repoCheck({
  id: 'R06',
  title: 'Dependabot and the package managers take no release that is younger than 3 days',
  fixes: 'safe',
  parameters: { days: { means: 'how many days a release must be old', default: ['3'], number: { min: 1, max: 365 } } },
  needs: { dependabot, lockedProjects, renovate },
  judge: ({ dependabot: files, lockedProjects: { projects, unread }, renovate: renovates }, { days }) => {
    const wanted = Number(days?.[0] ?? 3)
    if (files.length === 0 && projects.length === 0 && unread.length === 0)
      return [stated('repo', 'NOT_APPLICABLE', 'There is neither a configuration of Dependabot nor a lock file.')]
    const updated = new Set<string>()
    for (const file of files)
      if (isReadable(file)) for (const { ecosystem } of file.value.updates) updated.add(ecosystem.text)
    const byRenovate = renovates.length > 0
    return [
      ...(files.length === 0
        ? []
        : judgeEach(files, '', ({ updates }) => updates.flatMap((update) => judgeUpdate(update, wanted)))),
      ...projects.flatMap((project) =>
        judgeProject(project, wanted, byRenovate || ecosystems[project.manager].some((name) => updated.has(name))),
      ),
      ...unread.flatMap(problemsOf),
    ]
  },
})

const ecosystems: Readonly<Record<WaitingManager, readonly string[]>> = {
  npm: ['npm'],
  pnpm: ['npm'],
  yarn: ['npm'],
  bun: ['bun', 'npm'],
  uv: ['uv', 'pip'],
}

function judgeUpdate({ node, ecosystem }: DependabotUpdate, days: number): readonly Evidence[] {
  // No version updates, only those for vulnerabilities.
  if (node.text('open-pull-requests-limit') === '0') return []
  const subject = `${ecosystem.text} ${texts(node.get('directory')).join(' ')}`
  const cooldown = node.map('cooldown')
  if (cooldown === undefined)
    return [
      failing(ecosystem, `Dependabot offers updates of ${ecosystem.text} as soon as they are released.`, {
        subject,
        fix: setDays(node, ['cooldown', 'default-days'], days),
      }),
    ]
  return [...judgeDays(cooldown, ecosystem, days), ...judgeExtent(cooldown, ecosystem)]
}

function judgeDays(cooldown: MapValue, ecosystem: ScalarValue, days: number): readonly Evidence[] {
  const kinds = ['semver-major-days', 'semver-minor-days', 'semver-patch-days'] as const
  const short = (['default-days', ...kinds] as const).flatMap((name) => {
    const value = cooldown.scalar(name)
    return value === undefined || Number(value.text) >= days ? [] : [{ name, value }]
  })
  if (short.length > 0)
    return short.map(({ name, value }) =>
      failing(value, `Dependabot offers updates of ${ecosystem.text} before they are ${days} days old (${name}).`, {
        subject: `${ecosystem.text} ${name}`,
        fix: setDays(cooldown, [name], days),
      }),
    )
  const all = cooldown.get('default-days') !== undefined || kinds.every((name) => cooldown.get(name) !== undefined)
  if (all) return []
  const why = `Some updates of ${ecosystem.text} are offered at once: the cooldown has no \`default-days\`.`
  return [
    failing(ecosystem, why, {
      subject: `${ecosystem.text} default-days`,
      fix: setDays(cooldown, ['default-days'], days),
    }),
  ]
}

function judgeExtent(cooldown: MapValue, ecosystem: ScalarValue): readonly Evidence[] {
  const include = cooldown.list('include')
  const exclude = cooldown.list('exclude')
  const found: Evidence[] = []
  if (include !== undefined && include.items.length > 0 && !texts(include).includes('*'))
    found.push(failing(include, `Only some packages of ${ecosystem.text} wait; all others are offered at once.`))
  if (exclude !== undefined && texts(exclude).includes('*'))
    found.push(failing(exclude, `Every package of ${ecosystem.text} is taken out of the wait.`))
  return found
}

function setDays(map: MapValue, path: readonly [string, ...string[]], days: number): Fix {
  return { safety: 'safe', description: `Let releases be ${days} days old`, edits: setEntry(map, path, String(days)) }
}

function judgeProject({ manager, lock, wait }: LockedProject, days: number, updated: boolean): readonly Evidence[] {
  if (wait !== undefined) {
    const waits = daysOfSetting(manager, wait.text)
    if (waits === undefined)
      return [failing(wait.spot, `${manager} does not understand "${wait.text}" as an age of releases.`)]
    return waits >= days
      ? []
      : [
          failing(wait.spot, `${manager} takes releases that are younger than ${days} days.`, {
            subject: `${manager} wait`,
          }),
        ]
  }
  const spot = { file: lock, start: 0, end: 0 }
  const subject = `${manager} ${lock.path}`
  if (updated)
    return [
      doubtful(
        spot,
        `${manager} itself takes any release (${settings[manager]}); only what the updater offers is older.`,
        {
          confidence: 'low',
          subject,
        },
      ),
    ]
  const why = `Neither ${manager} (${settings[manager]}) nor an updater waits until a release is some days old.`
  return [failing(spot, why, { confidence: 'medium', subject })]
}

const settings: Readonly<Record<WaitingManager, string>> = {
  npm: 'min-release-age in .npmrc',
  pnpm: 'minimumReleaseAge in pnpm-workspace.yaml',
  yarn: 'npmMinimalAgeGate in .yarnrc.yml',
  bun: 'install.minimumReleaseAge in bunfig.toml',
  uv: 'exclude-newer in pyproject.toml or uv.toml',
}

// npm counts in days, pnpm and yarn in minutes, bun in seconds; yarn and uv take words as well.
function daysOfSetting(manager: WaitingManager, text: string): number | undefined {
  const number = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined
  if (manager === 'npm') return number
  if (manager === 'pnpm') return number === undefined ? undefined : number / 1440
  if (manager === 'bun') return number === undefined ? undefined : number / 86_400
  if (manager === 'yarn') return number === undefined ? daysOf(text) : number / 1440
  // A date stands still: nothing released after it is taken at all.
  if (/^\d{4}-\d\d-\d\d/.test(text)) return Infinity
  const [, weeks = '0', ofDays = '0', hours = '0'] = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(\d+)H)?$/.exec(text) ?? []
  if (text.startsWith('P')) return Number(weeks) * 7 + Number(ofDays) + Number(hours) / 24
  return number === undefined ? daysOf(text) : undefined
}
