import { mergedBlocks, type Layer, type Options, type Rule, type UpdateType } from './renovate-layer.ts'

/** Packages that are treated alike: all that no narrower rule names, or those of one rule. */
export type Scope = Rule['selectors']

/** The packages that no rule names, and those of each rule. */
export function scopesOf({ rules }: Layer): readonly Scope[] {
  const scopes = new Map<string, Scope>([['', new Map()]])
  for (const { selectors } of rules) scopes.set(signature(selectors), selectors)
  return [...scopes.values()]
}

/**
 * What holds in the end for an update of that kind to a package of that scope. Renovate applies the rules in order, then the block
 * of the kind of update, then the rules again.
 */
export function effectOf(layer: Layer, scope: Scope, type: UpdateType): Options {
  const rules = layer.rules.filter(
    (rule) => covers(rule.selectors, scope) && (rule.types === undefined || rule.types.has(type)),
  )
  const blocks = rules.reduce((under, rule) => mergedBlocks(under, rule.blocks), layer.blocks)
  const own = rules.map(({ options }) => options)
  return Object.assign({}, layer.options, ...own, blocks[type] ?? {}, ...own) as Options
}

// A rule is for a scope if everything that it selects by, the scope is at least as narrow in.
function covers(selectors: Scope, scope: Scope): boolean {
  for (const [name, values] of selectors) {
    const narrow = scope.get(name) ?? (name === 'matchDatasources' ? datasourcesOf(scope) : undefined)
    if (narrow === undefined || ![...narrow].every((value) => values.has(value))) return false
  }
  return true
}

// Where the managers of a scope look packages up, if it names nothing but managers that are known.
function datasourcesOf(scope: Scope): ReadonlySet<string> | undefined {
  const managers = [...(scope.get('matchManagers') ?? [])]
  const found = managers.map((manager) => (Object.hasOwn(datasources, manager) ? datasources[manager] : undefined))
  return found.length > 0 && found.every((each) => each !== undefined) ? new Set(found) : undefined
}

const datasources: Readonly<Record<string, string>> = {
  npm: 'npm',
  bun: 'npm',
  cargo: 'crate',
  pep621: 'pypi',
  poetry: 'pypi',
  pip_requirements: 'pypi',
  pipenv: 'pypi',
  gomod: 'go',
}

function signature(scope: Scope): string {
  return JSON.stringify(
    [...scope].map(([name, values]) => JSON.stringify([name, ...[...values].toSorted()])).toSorted(),
  )
}
