import { lstatSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type * as checksRoom from '#checks'
import type { ConfigContext, Contexts, Control, Fixed, LiveContext, Report, Tree } from '#checks'
import { readBoundedFile } from '../bounded-read.ts'
import { CliError, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { printable, wrapped } from '../print.ts'
import { fixLines } from './verify-fix.ts'
import { parametersOf, selected } from './verify-values.ts'
import type { VerifyOptions } from './verify.ts'

type Checks = typeof checksRoom

/** Collects, judges, repairs where asked to, and reports; gives the exit code. */
export async function verify(options: VerifyOptions, io: Io): Promise<number> {
  const checks = await import('#checks')
  const startedAt = new Date(io.now())
  const started = io.monotonic()
  const controls = await selected(checks.controls, options.only)
  const parameters = await parametersOf(checks.controls, options.param)
  const baseline = await openBaseline(options, checks)
  const contexts = await openContexts(options, startedAt, io, checks)
  const waivers = await openWaivers(options, contexts.repo, startedAt, io, checks)
  const judge = async (over: Partial<Contexts>): Promise<Judged> => {
    const results = await checks.runChecks({ contexts: over, controls, parameters })
    if (waivers === undefined) return { results }
    const waived = checks.applyWaivers(results, waivers)
    return { results: waived.results, waivers: waived.use }
  }
  // The files alone are judged before they are repaired: nobody is asked twice over the wire.
  const repaired = options.fix === undefined ? undefined : await repair(options, contexts, judge, io, checks)
  const judged = await judge(repaired === undefined ? contexts : { ...contexts, repo: repaired })
  const compared = baseline === undefined ? undefined : checks.compare(judged.results, baseline)
  const report = checks.buildReport({
    tool: { name: 'portcullis', version: toolVersion() },
    target: targetOf(options),
    startedAt,
    durationMs: Math.round(io.monotonic() - started),
    ...judged,
    ...compared,
    failOn: options.failOn,
  })
  await deliver(report, options, io, checks)
  const recorded = options.record === true ? await record(report, options, io, checks) : true
  // What was found is not hidden by a server that is away; a report that was to be kept and is not is never a success.
  return report.exitCode === checks.verifyExit.ok && !recorded ? checks.verifyExit.unknown : report.exitCode
}

async function record(report: Report, { url }: VerifyOptions, io: Io, checks: Checks): Promise<boolean> {
  const { recordReport } = await import('../posture.ts')
  try {
    const text = `${checks.jsonReport(report)}\n`
    io.err.write(`Recorded as ${printable(await recordReport(report, text, url === undefined ? {} : { url }, io))}.\n`)
    return true
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    const { todo } = error.details
    io.err.write(`The report was NOT recorded: ${printable(error.message)}\n`)
    if (todo !== undefined) io.err.write(`  to do: ${printable(todo)}\n`)
    return false
  }
}

type Judged = Pick<Report, 'results' | 'waivers'>

async function repair(
  { repo: path, fix = 'safe' }: VerifyOptions,
  { repo }: Partial<Contexts>,
  judge: (over: Partial<Contexts>) => Promise<Judged>,
  io: Io,
  checks: Checks,
): Promise<Tree | undefined> {
  if (repo === undefined || path === undefined) return undefined
  let tree = repo
  const rounds: Fixed[] = []
  // Of fixes at the same place each round makes one.
  for (let again = true; again;) {
    const { results } = await judge({ repo: tree })
    const fixed = await checks.applyFixes(tree, results, fix)
    rounds.push(fixed)
    if (fixed.paths.length > 0) tree = await openTree(path, checks)
    again = fixed.paths.length > 0 && rounds.length < roundsMax && fixed.left.some((left) => left.again)
  }
  io.err.write(wrapped(fixLines(rounds, fix), io.err.columns))
  return tree
}

const roundsMax = 5

async function deliver(report: Report, { format, output, only }: VerifyOptions, io: Io, checks: Checks): Promise<void> {
  const colours = output === undefined && io.out.colours
  const writers = {
    text: (each: Report) => checks.textReport(each, { colours }),
    json: checks.jsonReport,
    sarif: checks.sarifReport,
    junit: checks.junitReport,
    markdown: checks.markdownReport,
    html: checks.htmlReport,
  }
  const written = await writers[format](report)
  const text = written.replace(/\n*$/, '\n')
  if (output === undefined) io.out.write(format === 'text' ? wrapped(text, io.out.columns) : text)
  else {
    try {
      writeFileSync(output, text)
    } catch (cause) {
      throw usage(
        `The report cannot be written to ${output} (${codeOf(cause)}).`,
        'Name a file in a folder that is there.',
      )
    }
    io.err.write(`The report is in ${printable(output)}.\n`)
  }
  if (report.results.length === 0)
    io.err.write(
      only.length > 0
        ? 'None of the checks of --only looks at what was named: `verify list` shows what each looks at.\n'
        : 'No check looks at what was named.\n',
    )
}

async function openContexts(options: VerifyOptions, now: Date, io: Io, checks: Checks): Promise<Partial<Contexts>> {
  const { repo: folder, config: file, target } = options
  const repo = folder === undefined ? undefined : await openTree(folder, checks)
  const config = file === undefined ? undefined : await openConfig(file, now, io, checks)
  const live = target === undefined ? undefined : await openLive(target, options, io, checks)
  if (options.fix !== undefined && repo?.single === true && lstatSync(folder ?? '').isSymbolicLink())
    throw usage(`${folder} is a symbolic link.`, 'Name the file itself: nothing is written through a link.')
  return {
    ...(repo === undefined ? {} : { repo }),
    ...(config === undefined ? {} : { config }),
    ...(live === undefined ? {} : { live }),
  }
}

async function openTree(path: string, { Tree: trees, TreeTooLarge, NotJudgeable }: Checks): Promise<Tree> {
  try {
    return await trees.open(path)
  } catch (error) {
    if (error instanceof TreeTooLarge || error instanceof NotJudgeable)
      throw usage(`${path}: ${error.message}`, 'Name a folder or a file with --repo.')
    throw usage(`${path} cannot be read: ${codeOf(error)}.`, 'Name a folder or a file that is there.')
  }
}

async function openConfig(path: string, now: Date, io: Io, checks: Checks): Promise<ConfigContext> {
  try {
    return await checks.openConfig({ path, env: io.env, now })
  } catch (error) {
    if (error instanceof checks.NotSettings || error instanceof checks.NotJudgeable)
      throw usage(`${path}: ${error.message}`, 'Name a settings file or an env file with --config.')
    throw usage(`${path} cannot be read: ${codeOf(error)}.`, 'Name a settings file that is there.')
  }
}

// The key comes from the environment alone: other users of the machine can see arguments.
async function openLive(url: string, options: VerifyOptions, io: Io, checks: Checks): Promise<LiveContext> {
  const { grpc, vantage, allow } = options
  try {
    return await checks.openLive({
      url,
      grpc,
      vantage,
      key: io.env['PORTCULLIS_KEY'] || undefined,
      allowed: new Set(allow),
    })
  } catch (error) {
    if (error instanceof checks.NoTarget) throw usage(error.message, error.todo)
    throw error
  }
}

async function openBaseline({ baseline }: VerifyOptions, checks: Checks): ReturnType<Checks['readBaseline']> {
  if (baseline === undefined) return undefined
  const read = await checks.readBaseline(readBoundedFile(baseline, checks.baselineBytesMax))
  if (read !== undefined) return read
  throw usage(
    `${baseline} is no report of an earlier run.`,
    'Name a file that `portcullis verify --format json` wrote.',
  )
}

async function openWaivers(
  options: VerifyOptions,
  repo: Tree | undefined,
  now: Date,
  io: Io,
  checks: Checks,
): Promise<ReturnType<Checks['readWaivers']> | undefined> {
  const usual = repo === undefined || repo.single ? undefined : join(repo.root, checks.waiversFile)
  const there = usual === undefined ? undefined : lstatSync(usual, { throwIfNoEntry: false })
  // What is under judgement does not choose which other files of this machine are read.
  if (options.waivers === undefined && there?.isSymbolicLink() === true)
    throw usage(`${checks.waiversFile} is a symbolic link.`, 'Name the file of waivers with --waivers.')
  const path = options.waivers ?? (there === undefined ? undefined : usual)
  if (path === undefined) return undefined
  const tree = await openTree(path, checks)
  const [found] = tree.files
  if (!tree.single || found === undefined) throw usage(`${path} is a folder.`, 'Name the file of waivers.')
  const name = options.waivers ?? checks.waiversFile
  if (options.waivers === undefined) io.err.write(`Waivers are read from ${checks.waiversFile}.\n`)
  return checks.readWaivers(await tree.read(found), name, now.getTime(), idsOf(checks.controls))
}

function idsOf(controls: readonly Control[]): ReadonlySet<string> {
  return new Set(controls.flatMap(({ checks }) => checks.map(({ id }) => id)))
}

function targetOf({ repo, config, target }: VerifyOptions): Report['target'] {
  return {
    ...(repo === undefined ? {} : { repo }),
    ...(config === undefined ? {} : { config }),
    ...(target === undefined ? {} : { url: target }),
  }
}

function toolVersion(): string {
  const text = readBoundedFile(fileURLToPath(new URL('../../../package.json', import.meta.url)), 1024 * 1024)
  return (JSON.parse(text) as { readonly version: string }).version
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
