import { expressionsIn, parseExpression, type Expression } from './expressions.ts'
import type { Spot } from '../source-file.ts'
import { actionOf, inputOf, majorOf } from './uses.ts'
import type { Step } from './workflows.ts'

/** A step that restores a cache which other workflow runs can write. */
export interface CacheUse {
  readonly what: string
  readonly spot: Spot
  /** False where an expression, an unknown version or a file decides. */
  readonly certain: boolean
  /** The input that turns it off. */
  readonly off?: { readonly input: string; readonly text: string; readonly risk?: string }
}

interface Fact {
  /** The input that decides; absent where the action always restores. */
  readonly input?: string
  /** What the input is where it is not given; `unknown` where the version decides and is not known. */
  readonly byDefault?: (step: Step) => boolean | 'unknown'
  /** The input is set to this to have no cache. */
  readonly off?: string
  /** True turns the cache off. */
  readonly inverted?: boolean
  readonly risk?: string
}

const on = (): boolean => true
const since =
  (major: number, until = Number.POSITIVE_INFINITY): ((step: Step) => boolean | 'unknown') =>
  (step) => {
    const version = majorOf(step)
    if (version !== undefined) return version >= major && version < until
    // A branch is the newest there is.
    return until !== Number.POSITIVE_INFINITY || isCommit(step) ? 'unknown' : true
  }

const facts: ReadonlyMap<string, Fact> = new Map<string, Fact>([
  ['actions/cache', { input: 'lookup-only', inverted: true, byDefault: on }],
  ['actions/cache/restore', { input: 'lookup-only', inverted: true, byDefault: on }],
  ['buildjet/cache', { input: 'lookup-only', inverted: true, byDefault: on }],
  ['useblacksmith/cache', { input: 'lookup-only', inverted: true, byDefault: on }],
  ['actions/setup-java', { input: 'cache', off: "''" }],
  ['actions/setup-python', { input: 'cache', off: "''" }],
  ['actions/setup-go', { input: 'cache', byDefault: since(4), off: 'false' }],
  ['actions/setup-dotnet', { input: 'cache', off: 'false' }],
  ['actions/setup-node', { input: 'cache', off: "''" }],
  ['pnpm/action-setup', { input: 'cache', off: 'false' }],
  ['denoland/setup-deno', { input: 'cache', off: 'false' }],
  ['subosito/flutter-action', { input: 'cache', off: 'false' }],
  ['graalvm/setup-graalvm', { input: 'cache', off: "''" }],
  ['astral-sh/setup-uv', { input: 'enable-cache', byDefault: since(5, 10), off: 'false' }],
  ['swatinem/rust-cache', { input: 'lookup-only', inverted: true, byDefault: on, off: 'true' }],
  ['actions-rust-lang/setup-rust-toolchain', { input: 'cache', byDefault: on, off: 'false' }],
  ['moonrepo/setup-rust', { input: 'cache', byDefault: on, off: 'false' }],
  [
    'ruby/setup-ruby',
    {
      input: 'bundler-cache',
      off: 'false',
      risk: 'The action installs no gems then: a step with `bundle install` has to.',
    },
  ],
  ['gradle/actions/setup-gradle', { input: 'cache-disabled', inverted: true, byDefault: on, off: 'true' }],
  ['gradle/gradle-build-action', { input: 'cache-disabled', inverted: true, byDefault: on, off: 'true' }],
  ['pyo3/maturin-action', { input: 'sccache', off: 'false' }],
  ['mlugg/setup-zig', { input: 'use-cache', byDefault: on, off: 'false' }],
  ['oven-sh/setup-bun', { input: 'no-cache', inverted: true, byDefault: on, off: 'true' }],
  ['jdx/mise-action', { input: 'cache', byDefault: on, off: 'false' }],
  ['determinatesystems/magic-nix-cache-action', { input: 'use-gha-cache', byDefault: on, off: 'false' }],
  ['ramsey/composer-install', { input: 'ignore-cache', inverted: true, byDefault: on, off: "'yes'" }],
  ['mamba-org/setup-micromamba', { input: 'cache-environment', off: 'false' }],
  ['docker/setup-buildx-action', { input: 'cache-binary', byDefault: since(3), off: 'false' }],
  ['mozilla-actions/sccache-action', {}],
  ['nix-community/cache-nix-action', {}],
  ['awalsh128/cache-apt-pkgs-action', {}],
  ['coursier/cache-action', {}],
  ['julia-actions/cache', {}],
])

/** What the package.json in the root of the repository names; `unknown` where nobody can look. */
export type PackageManager = { readonly name: string } | 'none' | 'unknown'

/** The cache that a step restores in a release. */
export function cacheOf(step: Step, packageManager: PackageManager): CacheUse | undefined {
  const name = actionOf(step.uses)
  if (name === undefined || step.uses === undefined || isSkippedInRelease(step)) return undefined
  const spot = step.uses.node
  if (name === 'docker/build-push-action' || name === 'docker/bake-action') return layers(step, name)
  const fact = facts.get(name)
  if (fact === undefined) return undefined
  // It restores the program itself where a version is asked for.
  if (name === 'docker/setup-buildx-action' && inputOf(step, 'version') === undefined) return undefined
  const { input, byDefault = () => false, inverted = false, off, risk } = fact
  if (input === undefined) return { what: name, spot, certain: true }
  const value = inputOf(step, input)
  let restores: boolean | 'unknown'
  if (value === undefined) restores = byDefault(step)
  else {
    const said = truth(value)
    restores = said === 'unknown' ? said : said !== inverted
  }
  if (restores === false) return name === 'actions/setup-node' ? automatic(step, name, packageManager) : undefined
  const given =
    value === undefined ? undefined : step.node.map('with')?.entries.find(({ key }) => key.text.toLowerCase() === input)
  return {
    what: name,
    spot: given?.value ?? spot,
    certain: restores === true,
    ...(off === undefined ? {} : { off: { input, text: off, ...(risk === undefined ? {} : { risk }) } }),
  }
}

// From its fifth version on setup-node has a cache where package.json names the package manager; since the sixth only npm's.
function automatic(step: Step, name: string, packageManager: PackageManager): CacheUse | undefined {
  if (packageManager === 'none' || step.uses === undefined) return undefined
  if ((inputOf(step, 'cache') ?? '') !== '') return undefined
  const said = truth(inputOf(step, 'package-manager-cache') ?? 'true')
  if (said === false) return undefined
  const version = majorOf(step) ?? (isCommit(step) ? undefined : 6)
  if (version !== undefined && version < 5) return undefined
  const unknown = packageManager === 'unknown'
  const isNpm = unknown || /^npm(?:@|$)/.test(packageManager.name)
  if (!isNpm && (version ?? 6) >= 6) return undefined
  return {
    what: name,
    spot: step.uses.node,
    certain: said === true && version !== undefined && !unknown,
    off: { input: 'package-manager-cache', text: 'false' },
  }
}

function layers(step: Step, name: string): CacheUse | undefined {
  const from = step.node.map('with')?.scalar('cache-from')
  if (from === undefined || !/type=gha/.test(from.text)) return undefined
  const only = from.text.trim().split('\n').length === 1 && !from.text.includes('${{')
  return {
    what: name,
    spot: from,
    certain: !from.text.includes('${{'),
    ...(only ? { off: { input: 'cache-from', text: "''" } } : {}),
  }
}

function isSkippedInRelease({ node }: Step): boolean {
  const condition = node.text('if')
  if (condition === undefined) return false
  const [whole] = expressionsIn(condition)
  // With anything around the braces, a line end too, it is a text, and every text is true.
  if (whole !== undefined && (whole.start > 0 || whole.end < condition.length)) return false
  const expression = whole === undefined ? parseExpression(condition) : whole.expression
  return expression !== undefined && inRelease(expression) === false
}

function isCommit({ uses }: Step): boolean {
  return uses?.kind === 'repository' && /^[0-9a-f]{7,40}$/.test(uses.ref)
}

// What an input comes to in a release.
function truth(text: string): boolean | 'unknown' {
  const [found] = expressionsIn(text)
  if (found === undefined) return !/^(?:|false|no|off|0)$/i.test(text.trim())
  const { expression } = found
  if (expression?.kind === 'literal')
    return expression.value !== false && expression.value !== '' && expression.value !== null
  return expression === undefined ? 'unknown' : inRelease(expression)
}

// Conditions that ask whether it is a release, and not whether it is a pull request.
function inRelease(expression: Expression): boolean | 'unknown' {
  if (expression.kind === 'not') {
    const [inner] = expression.of
    const found = inner === undefined ? 'unknown' : inRelease(inner)
    return found === 'unknown' ? found : !found
  }
  if (expression.kind === 'call' && expression.name === 'startswith')
    return asksForTag(expression.of) ? true : 'unknown'
  if (expression.kind === 'compare' && (expression.operator === '==' || expression.operator === '!=')) {
    const asked = expression.of.map((each) =>
      each.kind === 'context' ? each.path.join('.') : each.kind === 'literal' ? String(each.value) : '?',
    )
    const same = expression.operator === '=='
    if (asked.includes('github.ref_type') && asked.includes('tag')) return same
    if (asked.includes('github.event_name') && asked.includes('release')) return same
    if (asked.includes('github.event_name') && asked.some((each) => each.startsWith('pull_request'))) return !same
  }
  return 'unknown'
}

function asksForTag(of: readonly Expression[]): boolean {
  const [context, prefix] = of
  const isRef = context?.kind === 'context' && context.path.join('.') === 'github.ref'
  return isRef && prefix?.kind === 'literal' && String(prefix.value).startsWith('refs/tags/')
}
