import { judgeEach, repoCheck } from '../../check.ts'
import { renovate } from '../../collect/packages/renovate.ts'
import type { Spot } from '../../collect/source-file.ts'
import type { MapValue } from '../../collect/values/value.ts'
import { doubtful, failing, stated, unjudged, type Evidence, type Fix } from '../../evidence.ts'
import { daysOf } from './duration.ts'
import { effectOf, scopesOf, type Scope } from './renovate-effect.ts'
import { layerOf, type Layer, type Options, type Setting, type UpdateType } from './renovate-layer.ts'

export const r05 = repoCheck({
  id: 'R05',
  title: 'Renovate waits 3 days before it offers or merges an update, merges by pull request, and never a major',
  fixes: 'safe',
  parameters: { days: { means: 'how many days a release must be old', default: ['3'], number: { min: 1, max: 365 } } },
  needs: { renovate },
  judge: ({ renovate: files }, { days }) =>
    judgeEach(files, 'Renovate is not set up in this repository.', ({ root }) =>
      new Judgement(root, Number(days?.[0] ?? 3)).evidence(),
    ),
})

const judgedTypes = [
  'major',
  'minor',
  'patch',
  'digest',
  'lockFileMaintenance',
] as const satisfies readonly UpdateType[]

// Each rule is weighed against each other one.
const rulesMax = 500

class Judgement {
  readonly #root: MapValue
  readonly #days: number
  readonly #layer: Layer
  readonly #found = new Map<string, Evidence>()
  #fixed = false

  constructor(root: MapValue, days: number) {
    this.#root = root
    this.#days = days
    this.#layer = layerOf(root)
  }

  evidence(): readonly Evidence[] {
    if (this.#layer.rules.length > rulesMax)
      return [
        unjudged('UNKNOWN', head(this.#root), `There are more than ${rulesMax} rules, and they were not looked at.`),
      ]
    const scopes = scopesOf(this.#layer)
    let enabled = false
    for (const scope of scopes) {
      for (const type of judgedTypes) {
        // Lock files are renewed as a whole.
        if (type === 'lockFileMaintenance' && scope.size > 0) continue
        const effect = effectOf(this.#layer, scope, type)
        if (effect.enabled === undefined ? type === 'lockFileMaintenance' : effect.enabled.value === false) continue
        enabled = true
        this.#judge(effect, type, scope)
      }
    }
    if (!enabled) return [stated('repo', 'NOT_APPLICABLE', 'Renovate is turned off here.')]
    const found = [...this.#found.values()]
    const [foreign] = this.#layer.foreign
    if (found.length > 0 || foreign === undefined || this.#settled()) return found
    return [
      doubtful(foreign, 'This preset lies elsewhere: it may let single packages merge sooner.', { confidence: 'low' }),
    ]
  }

  #judge(effect: Options, type: UpdateType, scope: Scope): void {
    const merges = isOn(effect.automerge)
    const { automerge, automergeType, ignoreTests, minimumReleaseAge: age } = effect
    if (type === 'lockFileMaintenance') {
      if (merges && !this.#soaks(age) && automerge !== undefined)
        this.#doubt(
          automerge.spot,
          'Renewed lock files merge by themselves, and nothing holds back what is new in them.',
        )
      return
    }
    if (merges && automerge !== undefined) {
      if (type === 'major') this.#fail(automerge.spot, 'Major updates merge by themselves.')
      if (automergeType?.value === 'branch')
        this.#fail(automergeType.spot, 'Updates are pushed to the branch without a pull request.')
      if (isOn(ignoreTests) && ignoreTests !== undefined)
        this.#fail(ignoreTests.spot, 'Updates merge by themselves without waiting for the tests.')
    }
    if (type === 'major' || (type === 'digest' && !merges)) return
    if (this.#soaks(age)) this.#judgeWaiting(effect)
    else this.#judgeAge(age, merges ? automerge?.spot : undefined, scope)
  }

  #soaks(age: Setting | undefined): boolean {
    return typeof age?.value === 'string' && (daysOf(age.value) ?? 0) >= this.#days
  }

  // It waits; but not everywhere, or not before it asks people.
  #judgeWaiting({ internalChecksFilter: filter, minimumReleaseAgeBehaviour: behaviour }: Options): void {
    if (filter?.value === 'none') this.#fail(filter.spot, 'Updates are offered before they are old enough.')
    if (filter?.value === 'flexible')
      this.#doubt(filter.spot, 'Where no release is old enough, a younger one is offered.')
    if (behaviour?.value === 'timestamp-optional')
      this.#doubt(behaviour.spot, 'A release without a date is taken for old enough.')
  }

  #judgeAge(age: Setting | undefined, merging: Spot | undefined, scope: Scope): void {
    const does = merging === undefined ? 'offered' : 'merged without anybody looking'
    if (age === undefined) {
      const [foreign] = this.#layer.foreign
      if (foreign !== undefined) {
        const why = 'Whether updates wait is in a preset that lies elsewhere, and could not be looked at.'
        this.#add(unjudged('UNKNOWN', foreign, why))
      } else if (merging === undefined && this.#waitsSomewhere())
        this.#doubt(head(this.#root), 'Only some kinds of packages wait; updates of all others are offered at once.')
      else if (merging !== undefined && this.#waitsSomewhere() && isOfAnyKind(scope))
        this.#doubt(merging, 'Only some kinds of packages wait; what else this lets merge is merged at once.')
      else this.#fail(merging ?? head(this.#root), `Updates are ${does} as soon as they are released.`, this.#wait())
      return
    }
    const { value, spot } = age
    // Packages of one's own need no wait; who they are is not written here.
    if (isNamed(scope) && merging === undefined && this.#layer.options.minimumReleaseAge?.spot !== spot) {
      this.#doubt(spot, 'Single packages are taken out of the wait: that is for packages of your own.')
      return
    }
    const days = typeof value === 'string' ? daysOf(value) : undefined
    if (typeof value === 'string' && days === undefined)
      this.#fail(spot, `"${value}" is no stretch of time that Renovate understands.`, this.#raise(spot))
    else if (value === null)
      this.#fail(spot, `The wait is taken away: updates are ${does} as soon as they are released.`)
    else this.#fail(spot, `Updates are ${does} before they are ${this.#days} days old.`, this.#raise(spot))
  }

  #waitsSomewhere(): boolean {
    return this.#layer.rules.some(({ options, types }) => types === undefined && this.#soaks(options.minimumReleaseAge))
  }

  // The last word is said here, for every package.
  #settled(): boolean {
    const settles = (name: 'automerge' | 'minimumReleaseAge'): boolean =>
      this.#layer.rules.some(
        ({ selectors, types, options, spot }) =>
          selectors.size === 0 &&
          (types === undefined || name === 'automerge') &&
          options[name]?.spot !== spot &&
          options[name] !== undefined,
      )
    return settles('minimumReleaseAge') && settles('automerge')
  }

  #raise(spot: Spot): Fix | undefined {
    const quote = spot.file.text[spot.start]
    if (quote !== '"' && quote !== "'") return undefined
    const text = `${quote}${this.#days} days${quote}`
    return {
      safety: 'safe',
      description: `Set minimumReleaseAge to ${this.#days} days`,
      edits: [{ path: spot.file.path, start: spot.start, end: spot.end, text }],
    }
  }

  #wait(): Fix | undefined {
    const { file, entries, end } = this.#root
    const last = entries.at(-1)
    if (this.#fixed || last === undefined || end === 0) return undefined
    this.#fixed = true
    const start = last.value.end
    const { line, column } = file.place(last.key.start)
    const gap = line === file.place(this.#root.start).line ? ' ' : `${file.lineEnd}${' '.repeat(column - 1)}`
    return {
      safety: 'safe',
      description: `Set minimumReleaseAge to ${this.#days} days`,
      edits: [{ path: file.path, start, end: start, text: `,${gap}"minimumReleaseAge": "${this.#days} days"` }],
    }
  }

  #fail(spot: Spot, detail: string, fix?: Fix): void {
    this.#add(failing(spot, detail, { subject: detail, fix }))
  }

  #doubt(spot: Spot, detail: string): void {
    this.#add(doubtful(spot, detail, { confidence: 'medium', subject: detail }))
  }

  #add(evidence: Evidence): void {
    const key = `${evidence.line}:${evidence.column}:${evidence.detail}`
    if (!this.#found.has(key)) this.#found.set(key, evidence)
  }
}

const byName = ['matchPackageNames', 'matchDepNames', 'matchPackagePrefixes', 'matchPackagePatterns', 'matchSourceUrls']

function isNamed(scope: Scope): boolean {
  return byName.some((name) => scope.has(name))
}

// A rule that says neither manager nor datasource may be for packages that wait.
function isOfAnyKind(scope: Scope): boolean {
  return scope.size > 0 && !scope.has('matchManagers') && !scope.has('matchDatasources')
}

function isOn(setting: Setting | undefined): boolean {
  return setting?.value === true
}

function head({ file, start }: MapValue): Spot {
  return { file, start, end: start }
}
