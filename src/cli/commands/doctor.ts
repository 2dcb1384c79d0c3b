import { Command, InvalidArgumentError } from 'commander'
import type { Config } from '#config'
import { ailments, fine, unknown, wrong, type Ailment, type AilmentId, type Finding } from '../doctor/ailments.ts'
import { fromConfig } from '../doctor/from-config.ts'
import { fromServer } from '../doctor/from-server.ts'
import { ExitWith } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'
import { paint, printable } from '../print.ts'
import { findTarget } from '../target.ts'

interface Options extends JsonOption {
  readonly config?: string
  readonly target?: string
  readonly management?: string
  readonly during: number
}

const skewMsMax = 1000

export function doctorCommand(io: Io): Command {
  const command = withJson(new Command('doctor'))
    .description('Looks for what is wrong, and says why it is so and what helps. Changes nothing.')
    .option('--config <file>', 'look at the settings, and at what they name: database, issuer, certificates, disk')
    .option('--target <url>', 'look at a running server (default: PORTCULLIS_URL, or http://127.0.0.1:8080)')
    .option('--management <url>', 'its management listener, for /readyz and /metrics (default: as the settings say)')
    .option(
      '--during <seconds>',
      'count only what happens meanwhile, in place of what happened since the start',
      seconds,
      0,
    )
    .action(async (options: Options) => {
      const findings = await look(options, io)
      const order = Object.keys(ailments)
      const sorted = findings.toSorted((a, b) => order.indexOf(a.id) - order.indexOf(b.id))
      const isWrong = sorted.some(({ outcome }) => outcome === 'wrong')
      if (options.json) io.out.write(`${JSON.stringify({ ok: !isWrong, findings: sorted.map(explained) })}\n`)
      else io.out.write(text(sorted, io))
      if (isWrong) throw new ExitWith(1)
    })
  return withExamples(
    command,
    'portcullis doctor',
    'portcullis doctor --config portcullis.yaml',
    'portcullis doctor --target https://portcullis.example.com --management http://10.0.0.5:9091 --during 60',
  )
}

async function look({ config: file, target, management, during }: Options, io: Io): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  let config: Config | undefined
  if (file !== undefined) {
    const { loadConfig } = await import('#config')
    const loaded = loadConfig({ env: io.env, mode: 'serve', file })
    if (loaded.ok) {
      ;({ config } = loaded)
      findings.push(fine('config.invalid', `the settings are fine, with ${loaded.warnings.length} warnings`))
      findings.push(...(await fromConfig(config, io.now())), ...(await reached(config, io)))
    } else {
      const named = loaded.problems
        .filter(({ severity }) => severity === 'error')
        .map(({ path, why }) => `${path}: ${why}`)
      findings.push(wrong('config.invalid', named.join('; ')))
    }
  }
  // Settings alone say nothing about a server that runs, unless they name where it listens.
  if (file !== undefined && target === undefined && config === undefined) return findings
  const own = config?.listen
  const url = target ?? (own === undefined ? undefined : `http://${own.http}`)
  const { url: place } = findTarget(url === undefined ? {} : { url }, io, '--target')
  const managed = management ?? (own === undefined ? managementBeside(place) : `http://${own.management}`)
  const server = await fromServer({
    target: place,
    management: managed?.replace(/\/+$/, ''),
    duringMs: during * 1000,
    sleep: (ms) => io.sleep(ms),
    now: () => io.now(),
  })
  return [...findings, ...server]
}

/** On this machine the management listener has its default; elsewhere nobody but its operator can say. */
function managementBeside(target: string): string | undefined {
  const { hostname } = new URL(target)
  return hostname === '127.0.0.1' || hostname === 'localhost' ? 'http://127.0.0.1:9091' : undefined
}

async function reached(config: Config, io: Io): Promise<readonly Finding[]> {
  const { database, issuer } = await (await io.server()).examine(config)
  return [...databaseFindings(database), issuerFinding(issuer)]
}

type Examined = Awaited<ReturnType<Awaited<ReturnType<Io['server']>>['examine']>>

function databaseFindings(database: Examined['database']): readonly Finding[] {
  if (database === undefined) return [unknown('database.reach', 'the server has a PostgreSQL of its own')]
  if (typeof database === 'string') return [wrong('database.reach', database)]
  const skew = `this clock is ${(database.skewMs / 1000).toFixed(2)} s from that of the database`
  return [
    database.problems.length === 0
      ? fine('database.reach', 'the database answers and is fit to serve from')
      : wrong('database.reach', database.problems.join('; ')),
    Math.abs(database.skewMs) > skewMsMax ? wrong('clock.skew', skew) : fine('clock.skew', skew),
  ]
}

function issuerFinding(issuer: Examined['issuer']): Finding {
  if (issuer === undefined) return fine('issuer.reach', 'no other issuer is configured')
  return typeof issuer === 'string'
    ? wrong('issuer.reach', issuer)
    : fine('issuer.reach', `the issuer publishes ${issuer.keys} keys`)
}

interface Explained {
  readonly id: AilmentId
  readonly outcome: Finding['outcome']
  readonly found: string
  readonly probe: string
  readonly symptom?: string
  readonly cause?: string
  readonly remedy?: string
}

/** What was found beside the row of the table; why and what to do only of what is wrong. */
function explained({ id, outcome, found, cause, remedy }: Finding): Explained {
  const row: Ailment = ailments[id]
  const { symptom, probe } = row
  const shown = { id, outcome, found, probe }
  return outcome === 'wrong' ? { ...shown, symptom, cause: cause ?? row.cause, remedy: remedy ?? row.remedy } : shown
}

function text(findings: readonly Finding[], io: Io): string {
  const { bold, dim, green, red, yellow } = paint(io.out.colours)
  const marks = { fine: green('fine   '), wrong: red('WRONG  '), unknown: yellow('UNKNOWN') }
  const width = Math.max(...(Object.keys(ailments) as AilmentId[]).map((id) => id.length))
  const lines = findings.flatMap((finding) => {
    const { id, outcome, found } = finding
    const line = `${marks[outcome]} ${bold(id.padEnd(width))} ${printable(found)}`
    if (outcome !== 'wrong') return [line]
    const { cause = '', remedy = '' } = explained(finding)
    return [line, `${' '.repeat(8)}${dim('why:')}   ${cause}`, `${' '.repeat(8)}${dim('to do:')} ${remedy}`]
  })
  const counts = (['wrong', 'unknown', 'fine'] as const).map(
    (outcome) => `${findings.filter((finding) => finding.outcome === outcome).length} ${outcome}`,
  )
  return [...lines, counts.join(', '), ''].join('\n')
}

function seconds(given: string): number {
  const value = Number(given)
  if (!Number.isInteger(value) || value < 0 || value > 3600) throw new InvalidArgumentError('Write seconds, 0 to 3600.')
  return value
}
