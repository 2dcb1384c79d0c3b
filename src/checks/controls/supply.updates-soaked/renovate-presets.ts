import type { Spot } from '../../collect/source-file.ts'
import type { Layer, OptionName, Options, Rule, Setting, UpdateType } from './renovate-layer.ts'

// Built-in presets that say nothing on merging or waiting.
const neutral =
  /^(?::|config:|group:|helpers:|schedule:|docker:|workarounds:|replacements:|monorepo:|packages:|mergeConfidence:|customManagers:|regexManagers:|preview:|abandonments:|security:|npm:|compatibility:|auto-generate-replacements:)/

/**
 * What a preset of Renovate brings, as far as it bears on merging and waiting; its places are where it is named. After
 * https://github.com/renovatebot/renovate/tree/main/lib/config/presets/internal
 */
export function presetLayer(written: string, spot: Spot, ignored: ReadonlySet<string> = new Set()): Layer {
  const bare = written.endsWith(')') ? (written.split('(', 1)[0] ?? '') : written
  const name = bare.replace(/^default:/, ':')
  if (ignored.has(written) || ignored.has(name)) return { options: {}, blocks: {}, rules: [], foreign: [] }
  const known = table[name]?.(spot, ignored) ?? waiting(name, spot)
  const foreign = known === undefined && !neutral.test(name) ? [spot] : []
  return { options: {}, blocks: {}, rules: [], foreign, ...known }
}

type Row = (spot: Spot, ignored: ReadonlySet<string>) => Partial<Layer>

const table: Readonly<Record<string, Row | undefined>> = {
  __proto__: null as unknown as undefined,
  ':automergeAll': (spot) => ({ options: options(spot, 'automerge', true) }),
  ':automergeMajor': (spot) => ({ options: options(spot, 'automerge', true) }),
  ':automergeMinor': (spot) => ({ blocks: automerging(spot, 'minor', 'patch', 'pin', 'lockFileMaintenance') }),
  ':automergePatch': (spot) => ({ blocks: automerging(spot, 'patch', 'pin', 'lockFileMaintenance') }),
  ':automergeDigest': (spot) => ({ blocks: automerging(spot, 'digest') }),
  ':automergeDisabled': (spot) => ({ options: options(spot, 'automerge', false) }),
  ':automergeBranch': (spot) => ({ options: options(spot, 'automergeType', 'branch') }),
  ':automergePr': (spot) => ({ options: options(spot, 'automergeType', 'pr') }),
  ':automergeRequireAllStatusChecks': (spot) => ({ options: options(spot, 'ignoreTests', false) }),
  ':automergeStableNonMajor': (spot) => ({
    rules: [rule(spot, { matchCurrentVersion: '!/^0/' }, options(spot, 'automerge', true), ['minor', 'patch'])],
  }),
  ':automergeLinters': (spot) => ({ rules: [automergeOf(spot, 'extends', 'packages:linters')] }),
  ':automergeTesters': (spot) => ({ rules: [automergeOf(spot, 'extends', 'packages:test')] }),
  ':automergeTypes': (spot) => ({ rules: [automergeOf(spot, 'matchPackageNames', '@types/**')] }),
  ':disableMajorUpdates': (spot) => ({ blocks: { major: options(spot, 'enabled', false) } }),
  ':disableDigestUpdates': (spot) => ({ blocks: { digest: options(spot, 'enabled', false) } }),
  ':disableRenovate': (spot) => ({ options: options(spot, 'enabled', false) }),
  ':maintainLockFilesWeekly': (spot) => lockFiles(spot, true),
  ':maintainLockFilesMonthly': (spot) => lockFiles(spot, true),
  ':maintainLockFilesDisabled': (spot) => lockFiles(spot, false),
  'config:semverAllMonthly': (spot) => lockFiles(spot, true),
  'config:semverAllWeekly': (spot) => lockFiles(spot, true),
  'config:best-practices': (spot, ignored) => ({
    ...(ignored.has(':maintainLockFilesWeekly') ? {} : lockFiles(spot, true)),
    rules: ignored.has('security:minimumReleaseAgeNpm') ? [] : ageOf(spot, 'npm'),
  }),
  'npm:unpublishSafe': (spot) => ({ rules: ageOf(spot, 'npm') }),
  ':unpublishSafe': (spot) => ({ rules: ageOf(spot, 'npm') }),
  'security:only-security-updates': (spot) => ({ rules: [rule(spot, {}, options(spot, 'enabled', false))] }),
}

const datasources: Readonly<Record<string, string>> = { Npm: 'npm', Crates: 'crate', Pypi: 'pypi', PyPi: 'pypi' }

function waiting(name: string, spot: Spot): Partial<Layer> | undefined {
  const [, of] = /^security:minimumReleaseAge(\w+)$/.exec(name) ?? []
  return of === undefined ? undefined : { rules: ageOf(spot, datasources[of] ?? of.toLowerCase()) }
}

function ageOf(spot: Spot, datasource: string): readonly Rule[] {
  const selectors = { matchDatasources: datasource }
  return [
    rule(spot, selectors, options(spot, 'minimumReleaseAge', '3 days')),
    // Renovate cannot hold these back.
    rule(spot, selectors, options(spot, 'minimumReleaseAge', null), ['lockFileMaintenance', 'pin', 'replacement']),
  ]
}

function automergeOf(spot: Spot, selector: string, value: string): Rule {
  return rule(spot, { [selector]: value }, options(spot, 'automerge', true))
}

function lockFiles(spot: Spot, enabled: boolean): Partial<Layer> {
  return { blocks: { lockFileMaintenance: options(spot, 'enabled', enabled) } }
}

function automerging(spot: Spot, ...types: readonly UpdateType[]): Layer['blocks'] {
  return Object.fromEntries(types.map((type) => [type, options(spot, 'automerge', true)]))
}

function options(spot: Spot, name: OptionName, value: Setting['value']): Options {
  return { [name]: { value, spot } }
}

function rule(spot: Spot, selectors: Readonly<Record<string, string>>, own: Options, types?: readonly string[]): Rule {
  return {
    selectors: new Map(Object.entries(selectors).map(([name, value]) => [name, new Set([value])])),
    ...(types === undefined ? {} : { types: new Set(types) }),
    options: own,
    blocks: {},
    spot,
  }
}
