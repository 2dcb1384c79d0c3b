import type { Check, Control, LiveCheck, Parameters } from './check.ts'
import { Collection, type Contexts } from './collect/collector.ts'
import type { LiveContext } from './collect/wire/live-context.ts'
import { stated, type Evidence } from './evidence.ts'
import { fingerprinted, resultFingerprint, type Finding } from './fingerprint.ts'
import { joined, worst, type Outcome, type Severity, type Source } from './outcome.ts'

export interface RunRequest {
  /** The sources that were asked for: one that is not is absent from the results, not UNKNOWN. */
  readonly contexts: Partial<Contexts>
  readonly controls: readonly Control[]
  /** By check id, such as `R21`: values for its parameters. */
  readonly parameters?: Readonly<Record<string, Parameters>>
}

/** What one check came out as. */
export interface Result {
  readonly check: Check
  readonly control: Control
  readonly severity: Severity
  readonly outcome: Outcome
  readonly evidence: readonly Finding[]
  readonly fingerprint: string
}

export interface ControlVerdict {
  readonly control: Control
  readonly outcome: Outcome
  /** The checks behind it that ran. */
  readonly checks: readonly string[]
}

/** Collects and judges. A check that throws is an ERROR of that check alone. */
export async function runChecks(request: RunRequest): Promise<readonly Result[]> {
  const collections: Partial<Record<Source, Collection<Source>>> = {}
  const { repo, config } = request.contexts
  const contexts = { ...request.contexts, config: config && { ...config, ...(repo && { repo }) } }
  for (const source of ['repo', 'config', 'live'] as const) {
    const context = contexts[source]
    if (context !== undefined) collections[source] = new Collection<Source>(context)
  }
  const wanted = request.controls.flatMap((control) =>
    control.checks.flatMap((check) => {
      const collection = collections[check.source]
      return collection === undefined ? [] : [{ control, check, collection }]
    }),
  )
  const { live } = request.contexts
  return Promise.all(
    wanted.map(async ({ control, check, collection }) => {
      const evidence = await evidenceOf(check, collection, parametersOf(check, request.parameters), live)
      return resultOf(control, check, evidence)
    }),
  )
}

/** The same result after waivers or a baseline changed what its findings say. */
export function withFindings(result: Result, evidence: readonly Finding[]): Result {
  return { ...result, evidence, outcome: worst(evidence.map(({ outcome }) => outcome)) ?? 'PASS' }
}

function resultOf(control: Control, check: Check, evidence: readonly Evidence[]): Result {
  const findings = fingerprinted(check.id, evidence)
  return {
    check,
    control,
    severity: control.severity,
    outcome: worst(findings.map(({ outcome }) => outcome)) ?? 'PASS',
    evidence: findings,
    fingerprint: resultFingerprint(check.id, findings),
  }
}

/** The verdicts over the controls of these results. */
export function verdicts(results: readonly Result[]): readonly ControlVerdict[] {
  const byControl = Map.groupBy(results, ({ control }) => control)
  return [...byControl].map(([control, own]) => ({
    control,
    outcome: joined(own.map(({ check, outcome }) => ({ source: check.source, outcome }))) ?? 'PASS',
    checks: own.map(({ check }) => check.id),
  }))
}

async function evidenceOf(
  check: Check,
  collection: Collection<Source>,
  parameters: Parameters,
  live: LiveContext | undefined,
): Promise<readonly Evidence[]> {
  const obstacle = check.source === 'live' && live !== undefined ? notRun(check, live) : undefined
  if (obstacle !== undefined) return [stated('live', 'UNKNOWN', `It was not run: ${obstacle}`, { subject: 'not run' })]
  try {
    const rule = await check.rule()
    const facts = await collection.gather(rule.needs as never)
    return await rule.judge(facts, parameters)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return [stated(check.source, 'ERROR', `The check itself failed: ${why}`, { subject: 'check failed' })]
  }
}

/** Why a live check would do what nobody allowed, or would prove nothing from here. */
function notRun({ safety, vantage }: LiveCheck, live: LiveContext): string | undefined {
  if (safety !== 'read-only' && !live.allowed.has(safety)) return `it needs --allow=${safety}.`
  // What any network place can see, the machine itself and the outside see too.
  if (vantage === 'network' || vantage === live.vantage) return undefined
  const standing = {
    host: 'on the machine of the target',
    network: 'in its network',
    outside: 'outside of its network',
  }
  return `it means something only ${standing[vantage]}, and this is ${standing[live.vantage]}.`
}

function parametersOf(check: Check, given: RunRequest['parameters']): Parameters {
  const own = given?.[check.id] ?? {}
  return Object.fromEntries(
    Object.entries(check.parameters ?? {}).map(([name, parameter]) => [name, own[name] ?? parameter.default]),
  )
}
