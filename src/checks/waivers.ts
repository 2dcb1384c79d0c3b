import type { Parsed, SourceFile, Spot } from './collect/source-file.ts'
import { isReadable } from './collect/source-file.ts'
import type { MapValue, Value } from './collect/values/value.ts'
import { parseYaml } from './collect/values/yaml.ts'
import type { AppliedWaiver, Finding } from './fingerprint.ts'
import type { Outcome } from './outcome.ts'
import type { WaiverNotice, WaiverUse } from './report/report.ts'
import { withFindings, type Result } from './run.ts'

/** The file that is read from the folder under judgement where none is named. */
export const waiversFile = 'portcullis.waivers.yaml'
const daysMax = 180
const dayMs = 24 * 60 * 60 * 1000

/** What a file of waivers says: those that hold today, and what is wrong with the others. */
export interface Waivers {
  readonly path: string
  readonly valid: readonly Waiver[]
  readonly notices: readonly WaiverNotice[]
}

export interface Waiver extends Omit<AppliedWaiver, 'outcome'> {
  readonly check: string
  /** Of a finding, or of a whole result as it stands now. */
  readonly fingerprint: string
  /** What it was given for: the finding, or the worst of the result, comes out as exactly this. */
  readonly outcome: Outcome
  readonly spot: Spot
}

const waivable = ['FAIL', 'ERROR', 'UNKNOWN', 'WARN'] as const satisfies readonly Outcome[]

/**
 * Reads a file of waivers; everything that is wrong with it is told at once. What is expired or invalid waives nothing. `path` is
 * what the messages call the file.
 */
export function readWaivers(
  parsed: Parsed<SourceFile>,
  path: string,
  nowMs: number,
  checks: ReadonlySet<string>,
): Waivers {
  const reader = new Reader(nowMs, checks)
  const root = isReadable(parsed) ? parseYaml(parsed.value) : parsed
  if (!isReadable(root)) {
    const { file, unreadable } = root
    reader.invalid({ file, start: unreadable.offset, end: unreadable.offset }, unreadable.why)
  } else reader.file(root.value)
  return { path, valid: reader.valid, notices: reader.notices }
}

/** Lets the waivers act. `use` says what became of them. */
export function applyWaivers(
  results: readonly Result[],
  { path, valid, notices }: Waivers,
): { readonly results: readonly Result[]; readonly use: WaiverUse } {
  const byKey = new Map(valid.map((waiver) => [keyOf(waiver.check, waiver.fingerprint), waiver]))
  const used = new Set<Waiver>()
  const changed = new Map<Waiver, Outcome>()
  const accepting = (check: string, fingerprint: string, outcome: Outcome): Waiver | undefined => {
    const waiver = byKey.get(keyOf(check, fingerprint))
    if (waiver === undefined || waiver.outcome === outcome) return waiver
    changed.set(waiver, outcome)
    return undefined
  }
  let waived = 0
  const after = results.map((result) => {
    const { id } = result.check
    const whole = accepting(id, result.fingerprint, result.outcome)
    const evidence = result.evidence.map((finding) => {
      if (!canBeWaived(finding)) return finding
      const waiver = accepting(id, finding.fingerprint, finding.outcome) ?? whole
      if (waiver === undefined) return finding
      used.add(waiver)
      waived += 1
      return { ...finding, outcome: 'WAIVED' as const, waiver: appliedOf(waiver, finding.outcome) }
    })
    return withFindings(result, evidence)
  })
  // What was not looked at this time says nothing about its waivers.
  const ran = new Set(results.map(({ check }) => check.id))
  const unused = valid.flatMap((waiver) =>
    used.has(waiver) || !ran.has(waiver.check)
      ? []
      : [notice('unused', waiver.spot, unusedMessage(waiver, changed.get(waiver)))],
  )
  return { results: after, use: { path, waived, notices: [...notices, ...unused].toSorted(byPlace) } }
}

// An error without a file is the check itself that broke: nobody can accept what nobody knows.
function canBeWaived({ outcome, path }: Finding): boolean {
  return waivable.some((each) => each === outcome) && (outcome !== 'ERROR' || path !== undefined)
}

function appliedOf({ reason, approver, ticket, expires }: Waiver, outcome: Outcome): AppliedWaiver {
  return { reason, approver, expires, outcome, ...(ticket === undefined ? {} : { ticket }) }
}

function unusedMessage({ check, fingerprint, outcome }: Waiver, now: Outcome | undefined): string {
  return now === undefined
    ? `The waiver of ${check} ${fingerprint} waives nothing: there is no such finding any more. Take it out.`
    : `The waiver of ${check} ${fingerprint} waives nothing: it is of \`outcome: ${outcome}\`, and the finding is ${now}. Repair it, or have this approved.`
}

class Reader {
  readonly valid: Waiver[] = []
  readonly notices: WaiverNotice[] = []
  readonly #today: number
  readonly #checks: ReadonlySet<string>
  readonly #seen = new Set<string>()

  constructor(nowMs: number, checks: ReadonlySet<string>) {
    this.#today = Math.floor(nowMs / dayMs) * dayMs
    this.#checks = checks
  }

  invalid(spot: Spot, message: string): void {
    this.notices.push(notice('invalid', spot, message))
  }

  file(root: Value): void {
    if (root.kind !== 'map') return this.invalid(root, 'A file of waivers is a map with `version: 1` and `waivers`.')
    this.#onlyKeys(root, ['version', 'waivers'])
    const version = root.get('version')
    if (version?.kind !== 'scalar' || version.value !== 1) this.invalid(version ?? start(root), '`version` is 1.')
    const list = root.get('waivers')
    if (list?.kind !== 'list') return this.invalid(list ?? start(root), '`waivers` is a list.')
    // A file of another version may mean something else by the same words.
    if (this.notices.length > 0) return undefined
    for (const item of list.items) this.#waiver(item)
    return undefined
  }

  #waiver(item: Value): void {
    if (item.kind !== 'map') return this.invalid(item, `A waiver is a map with ${required.join(', ')}.`)
    const before = this.notices.length
    this.#onlyKeys(item, [...required, 'outcome', 'ticket'])
    const missing = required.filter((key) => item.entry(key) === undefined)
    if (missing.length > 0) this.invalid(start(item), `This waiver lacks ${missing.join(', ')}.`)
    const waiver = {
      check: this.#text(item, 'check', (id) =>
        this.#checks.has(id) ? '' : `There is no check ${id}: \`verify list\` names them.`,
      ),
      fingerprint: this.#text(item, 'fingerprint', (text) =>
        /^[0-9a-f]{32}$/.test(text) ? '' : 'A fingerprint is 32 hex digits, as `verify --format json` shows them.',
      ),
      reason: this.#text(item, 'reason'),
      approver: this.#text(item, 'approver'),
      expires: this.#text(item, 'expires', (text) => this.#expiryProblem(text)),
      outcome: this.#outcome(item),
      ...(item.entry('ticket') === undefined ? {} : { ticket: this.#text(item, 'ticket') }),
    }
    const key = keyOf(waiver.check, waiver.fingerprint)
    if (this.notices.length === before && this.#seen.has(key))
      this.invalid(item, `There is a waiver of ${waiver.check} ${waiver.fingerprint} above already.`)
    if (this.notices.length > before) return undefined
    this.#seen.add(key)
    if (dayOf(waiver.expires) >= this.#today) this.valid.push({ ...waiver, spot: item })
    else
      this.notices.push(
        notice(
          'expired',
          item,
          `The waiver of ${waiver.check} ended on ${waiver.expires}: it waives nothing. Repair the finding, or have it approved again.`,
        ),
      )
    return undefined
  }

  // Before it could be said a waiver was of what breaks a build.
  #outcome(item: MapValue): Outcome {
    if (item.entry('outcome') === undefined) return 'FAIL'
    const said = this.#text(item, 'outcome', (text) =>
      waivable.some((each) => each === text) ? '' : `\`outcome\` is one of ${waivable.join(', ')}.`,
    )
    return waivable.find((each) => each === said) ?? 'FAIL'
  }

  #expiryProblem(text: string): string {
    const day = dayOf(text)
    if (Number.isNaN(day)) return '`expires` is a day, such as 2027-01-31.'
    return day > this.#today + daysMax * dayMs
      ? `\`expires\` is at most ${daysMax} days from today: ${new Date(this.#today + daysMax * dayMs).toISOString().slice(0, 10)}.`
      : ''
  }

  #text(item: MapValue, key: string, problem: (text: string) => string = () => ''): string {
    const value = item.get(key)
    if (value === undefined) return ''
    if (value.kind !== 'scalar' || value.value === null || value.text.trim() === '') {
      this.invalid(value, `\`${key}\` is a text.`)
      return ''
    }
    const why = problem(value.text)
    if (why !== '') this.invalid(value, why)
    return value.text
  }

  #onlyKeys(map: MapValue, allowed: readonly string[]): void {
    for (const { key } of map.entries)
      if (!allowed.includes(key.text))
        this.invalid(key, `There is no \`${key.text}\` here: there are ${allowed.join(', ')}.`)
  }
}

const required = ['check', 'fingerprint', 'reason', 'approver', 'expires'] as const

// NaN for what is no day of the calendar, such as 2027-02-30.
function dayOf(text: string): number {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return Number.NaN
  const day = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== text ? Number.NaN : day
}

function notice(kind: WaiverNotice['kind'], { file, start: at }: Spot, message: string): WaiverNotice {
  return { kind, ...file.place(at), message }
}

function byPlace(a: WaiverNotice, b: WaiverNotice): number {
  return a.line - b.line || a.column - b.column
}

function keyOf(check: string, fingerprint: string): string {
  return `${check} ${fingerprint}`
}

function start({ file, start: at }: Spot): Spot {
  return { file, start: at, end: at }
}
