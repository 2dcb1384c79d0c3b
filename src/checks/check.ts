import type { Collector, Contexts, Facts } from './collect/collector.ts'
import { isReadable, type Parsed } from './collect/source-file.ts'
import { stated, unjudged, type Evidence } from './evidence.ts'
import type { Severity, Source } from './outcome.ts'

/** What a live probe does to its target. */
export type Safety = 'read-only' | 'test-data' | 'disruptive' | 'slow'

/** Where a live probe must stand for its answer to mean something. */
export type Vantage = 'host' | 'network' | 'outside'

/** A thing that must hold: a named claim with the checks that look for it. */
export interface Control {
  /** `room.claim`, such as `edge.reflection-off`; never renamed. */
  readonly id: string
  readonly title: string
  readonly severity: Severity
  /** The attack, in one sentence. */
  readonly why: string
  readonly remediation: string
  /** Addresses of what it is based on: standards, documentation, advisories. */
  readonly references: readonly string[]
  /** The rows of docs/controls.md that it serves. */
  readonly rows: readonly string[]
  readonly checks: readonly Check[]
}

/** The executable form of a control at one source of evidence. */
export type Check = RepoCheck | ConfigCheck | LiveCheck

interface CheckBase<S extends Source> {
  /** `R01`, `F16`, `W09`: never renamed. */
  readonly id: string
  readonly title: string
  readonly source: S
  /** What `--fix` can do about its findings. */
  readonly fixes?: 'safe' | 'unsafe' | 'both'
  /** Names with their default, set by `--param R21.tables=a,b`. */
  readonly parameters?: Readonly<Record<string, Parameter>>
  /** Asked for when the check runs: what few runs need is loaded then. */
  rule(): Promise<Rule<S>>
}

/** What a check looks at, and how it judges that. */
export interface Rule<S extends Source> {
  readonly needs: Needs<S>
  /** Pure. An empty list means that it holds everywhere. */
  judge(facts: never, parameters: Parameters): Judgement
}

type Judgement = readonly Evidence[] | Promise<readonly Evidence[]>

export type RepoCheck = CheckBase<'repo'>
export type ConfigCheck = CheckBase<'config'>
export interface LiveCheck extends CheckBase<'live'> {
  readonly vantage: Vantage
  readonly safety: Safety
}

export interface Parameter {
  readonly means: string
  readonly default: readonly string[]
  /** Set where the value is one whole number. */
  readonly number?: { readonly min: number; readonly max: number }
}

export type Parameters = Readonly<Record<string, readonly string[]>>

type Needs<S extends keyof Contexts> = Readonly<Record<string, Collector<S, unknown>>>

/** A check of files. Its facts have the names and types of what it needs. */
export function repoCheck<N extends Needs<'repo'>>({
  needs,
  judge,
  ...check
}: Omit<RepoCheck, 'source' | 'rule'> & {
  readonly needs: N
  readonly judge: (facts: Facts<N>, parameters: Parameters) => Judgement
}): RepoCheck {
  return { ...check, source: 'repo', rule: () => Promise.resolve({ needs, judge }) }
}

/** A check of settings and environment. Its rule is a file of its own: most runs look at files alone, and start without it. */
export function configCheck(check: Omit<ConfigCheck, 'source'>): ConfigCheck {
  return { ...check, source: 'config' }
}

/** A check on the wire. Its rule is a file of its own, as that of a check of settings. */
export function liveCheck(check: Omit<LiveCheck, 'source'>): LiveCheck {
  return { ...check, source: 'live' }
}

interface FittingRule<N extends Readonly<Record<string, Collector<never, unknown>>>> {
  readonly needs: N
  judge(facts: Facts<N>, parameters: Parameters): readonly Evidence[]
}

/** The rule of a check of settings. Its facts have the names and types of what it needs. */
export function configRule<N extends Needs<'config'>>(rule: FittingRule<N>): FittingRule<N> {
  return rule
}

/** The rule of a check on the wire. Its facts have the names and types of what it needs. */
export function liveRule<N extends Needs<'live'>>(rule: FittingRule<N>): FittingRule<N> {
  return rule
}

/**
 * Judges each file of a kind. A file that could not be read is an ERROR at its position, whatever the others say; without any
 * file the check does not apply, for the reason given.
 */
export function judgeEach<T>(
  files: readonly Parsed<T>[],
  absent: string,
  judge: (value: T, parsed: { readonly file: Parsed<T>['file']; readonly value: T }) => readonly Evidence[],
): readonly Evidence[] {
  if (files.length === 0) return [stated('repo', 'NOT_APPLICABLE', absent)]
  return files.flatMap((parsed) => {
    if (isReadable(parsed)) return [...judge(parsed.value, parsed), ...problemsOf(parsed)]
    return problemsOf(parsed)
  })
}

/** The ERROR evidence of files of a kind that could not be read, in whole or in part. */
export function problemsOf(parsed: Parsed<unknown>): readonly Evidence[] {
  const { file } = parsed
  if (isReadable(parsed))
    return (parsed.problems ?? []).map(({ spot, why }) => unjudged('ERROR', spot, why, { subject: why }))
  const { offset, why } = parsed.unreadable
  return [unjudged('ERROR', { file, start: offset, end: offset }, why, { subject: why })]
}
