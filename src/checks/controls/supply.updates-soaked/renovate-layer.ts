import type { Spot } from '../../collect/source-file.ts'
import { listed, texts, type MapValue, type Value } from '../../collect/values/value.ts'
import { presetLayer } from './renovate-presets.ts'

/** The options of Renovate that decide what merges when. */
export const optionNames = [
  'automerge',
  'automergeType',
  'enabled',
  'ignoreTests',
  'internalChecksFilter',
  'minimumReleaseAge',
  'minimumReleaseAgeBehaviour',
] as const
export type OptionName = (typeof optionNames)[number]

/** The kinds of update that have a block of their own. */
export const updateTypes = ['major', 'minor', 'patch', 'pin', 'digest', 'lockFileMaintenance'] as const
export type UpdateType = (typeof updateTypes)[number]

/** A value, and where it is written or the preset that brings it is named. */
export interface Setting {
  readonly value: string | number | boolean | bigint | null
  readonly spot: Spot
}

export type Options = Readonly<Partial<Record<OptionName, Setting>>>
export type Blocks = Readonly<Partial<Record<UpdateType, Options>>>

/** Settings with presets put in, in the order in which Renovate reads them. */
export interface Layer {
  readonly options: Options
  readonly blocks: Blocks
  readonly rules: readonly Rule[]
  /** Presets whose content lies elsewhere. */
  readonly foreign: readonly Spot[]
}

export interface Rule {
  /** What it is for, by selector such as `matchManagers`; empty where it is for every package. */
  readonly selectors: ReadonlyMap<string, ReadonlySet<string>>
  /** The kinds of update it is for; absent for all. */
  readonly types?: ReadonlySet<string>
  readonly options: Options
  readonly blocks: Blocks
  readonly spot: Spot
}

export const emptyLayer: Layer = { options: {}, blocks: {}, rules: [], foreign: [] }

// Maps of settings that are no manager's.
const noManager = new Set([
  'vulnerabilityAlerts',
  'hostRules',
  'force',
  'onboardingConfig',
  'logLevelRemap',
  'constraints',
  'registryAliases',
  'group',
  'bumpVersion',
  'replacement',
  'rollback',
  'pinDigest',
  'lockfileUpdate',
  'statusCheckNames',
  'customDatasources',
])

/** Puts presets in the place of their names: `extends` first, then what stands beside it. */
export function layerOf(map: MapValue): Layer {
  const ignored = new Set(texts(map.get('ignorePresets')))
  const presets = listed(map.get('extends')).flatMap((each) =>
    each.kind === 'scalar' ? [presetLayer(each.text, each, ignored)] : [],
  )
  const managers = map.entries.flatMap(({ key, value }) => managerRule(key.text, value))
  const rules = listed(map.get('packageRules')).flatMap((each) => (each.kind === 'map' ? [ruleOf(each)] : []))
  const inRules = listed(map.get('packageRules')).flatMap((each) =>
    each.kind === 'map' ? listed(each.get('extends')).filter(({ source }) => isForeign(source)) : [],
  )
  const own: Layer = {
    options: optionsOf(map),
    blocks: blocksOf(map),
    rules: [...managers, ...rules],
    foreign: inRules,
  }
  return [...presets, own].reduce(merged, emptyLayer)
}

export function merged(under: Layer, over: Layer): Layer {
  return {
    options: { ...under.options, ...over.options },
    blocks: mergedBlocks(under.blocks, over.blocks),
    rules: [...under.rules, ...over.rules],
    foreign: [...under.foreign, ...over.foreign],
  }
}

export function mergedBlocks(under: Blocks, over: Blocks): Blocks {
  const blocks: Partial<Record<UpdateType, Options>> = { ...under }
  for (const type of updateTypes) {
    const upper = over[type]
    if (upper !== undefined) blocks[type] = { ...blocks[type], ...upper }
  }
  return blocks
}

/** Whether Renovate has to fetch the preset from somewhere. */
function isForeign(source: string): boolean {
  return presetLayer(source.replaceAll(/["']/g, ''), emptySpot).foreign.length > 0
}

const emptySpot = { start: 0, end: 0 } as Spot

function optionsOf(map: MapValue): Options {
  const options: Partial<Record<OptionName, Setting>> = {}
  const legacy = map.scalar('stabilityDays')
  if (legacy !== undefined) options.minimumReleaseAge = { value: `${legacy.text} days`, spot: legacy }
  for (const name of optionNames) {
    const value = map.get(name)
    if (value?.kind === 'scalar') options[name] = { value: value.value, spot: value }
  }
  return options
}

function blocksOf(map: MapValue): Blocks {
  const blocks: Partial<Record<UpdateType, Options>> = {}
  for (const type of updateTypes) {
    const block = map.map(type)
    if (block !== undefined) blocks[type] = { ...layerOfBlock(block) }
  }
  return blocks
}

function layerOfBlock(block: MapValue): Options {
  const presets = texts(block.get('extends')).map((name) => presetLayer(name, block).options)
  return Object.assign({}, ...presets, optionsOf(block)) as Options
}

function ruleOf(map: MapValue): Rule {
  const selectors = new Map<string, ReadonlySet<string>>()
  let types: ReadonlySet<string> | undefined
  for (const { key, value } of map.entries) {
    if (!/^(?:match|exclude)[A-Z]/.test(key.text)) continue
    const values = new Set(texts(value))
    if (key.text === 'matchUpdateTypes') types = values
    else if (!matchesAll(key.text, values)) selectors.set(key.text, values)
  }
  const named = listed(map.get('extends')).flatMap((each) => (each.kind === 'scalar' ? [each.text] : []))
  const presets = named.map((name) => presetLayer(name, map))
  // Presets such as packages:linters say which packages a rule is for.
  const narrowing = named.filter((name) => /^(?:packages|monorepo|group|preview):/.test(name))
  if (narrowing.length > 0) selectors.set('extends', new Set(narrowing))
  const below = presets.reduce(merged, emptyLayer)
  return {
    selectors,
    ...(types === undefined ? {} : { types }),
    options: { ...below.options, ...optionsOf(map) },
    blocks: mergedBlocks(below.blocks, blocksOf(map)),
    spot: map,
  }
}

function matchesAll(selector: string, values: ReadonlySet<string>): boolean {
  if (selector.startsWith('exclude')) return values.size === 0
  return ['*', '**', '**/*', '.*', '/.*/', '^.*$'].some((all) => values.has(all))
}

// Settings under the name of a manager are for what it manages, and come before every rule.
function managerRule(name: string, value: Value): readonly Rule[] {
  if (value.kind !== 'map' || noManager.has(name) || (updateTypes as readonly string[]).includes(name)) return []
  const options = optionsOf(value)
  const blocks = blocksOf(value)
  if (Object.keys(options).length === 0 && Object.keys(blocks).length === 0) return []
  return [{ selectors: new Map([['matchManagers', new Set([name])]]), options, blocks, spot: value }]
}
