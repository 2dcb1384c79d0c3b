import { existsSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Safety, Severity, Vantage } from '#checks'
import { ExitWith, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples } from '../options.ts'
import { explainCommand, listCommand } from './verify-catalog.ts'
import { evidenceCommand, reportsCommand } from './verify-evidence.ts'
import { verify } from './verify-run.ts'

const formats = ['text', 'json', 'sarif', 'junit', 'markdown', 'html'] as const

export interface VerifyOptions {
  readonly repo?: string
  readonly config?: string
  readonly target?: string
  readonly grpc?: string
  readonly vantage?: Vantage
  readonly allow: readonly Safety[]
  readonly only: readonly string[]
  readonly param: readonly string[]
  readonly failOn: Severity
  readonly format: (typeof formats)[number]
  readonly output?: string
  readonly baseline?: string
  readonly waivers?: string
  readonly fix?: 'safe' | 'unsafe'
  readonly record?: boolean
  readonly url?: string
  readonly json?: boolean
}

// Written out: the room of the checks is loaded when one runs, not for the help.
const severities = ['critical', 'high', 'medium', 'low', 'info'] as const satisfies readonly Severity[]
const vantages = ['host', 'network', 'outside'] as const satisfies readonly Vantage[]
const classes = ['test-data', 'disruptive', 'slow'] as const satisfies readonly Safety[]

/** `portcullis verify`: is the deployment hardened? Looks at files, settings and the wire, and changes nothing without --fix. */
export function verifyCommand(io: Io): Command {
  const command = new Command('verify')
    .description('Checks that a repository, its settings and a running deployment are hardened.')
    // `--json` behind `list` belongs to `list`.
    .enablePositionalOptions()
    .allowExcessArguments()
    .option('--repo <path>', 'the folder, or one file, to look at (default: the current folder if it is a repository)')
    .option('--config <file>', 'the settings file or env file to look at')
    .option('--target <url>', 'the HTTP listener of a running instance; PORTCULLIS_KEY holds a key that it accepts')
    .option('--grpc <address>', 'the gRPC listener of that instance')
    .addOption(new Option('--vantage <place>', 'where this machine stands towards it').choices(vantages))
    .addOption(
      new Option('--allow <class>', 'also probes that do more than read; repeatable')
        .choices(classes)
        .argParser(allowed)
        .default([], 'none'),
    )
    .addOption(new Option('--profile <name>', 'the runbook to follow').argParser(profile))
    .addOption(
      new Option('--only <ids>', 'these checks or controls alone, separated by commas; repeatable')
        .argParser(collected)
        .default([], 'all'),
    )
    .addOption(
      new Option('--param <value>', 'a parameter of a check: R21.tables=a,b; repeatable')
        .argParser(appended)
        .default([], 'none'),
    )
    .addOption(new Option('--format <format>', 'how to say it').choices(formats).default('text'))
    .option('--output <file>', 'write the report there and not to stdout')
    .addOption(
      new Option('--fail-on <severity>', 'exit with 1 from this severity on').choices(severities).default('medium'),
    )
    .option('--baseline <file>', 'an earlier report in JSON: only what is new counts for exit code 1')
    .option(
      '--waivers <file>',
      'what is accepted, by whom and until when (default: portcullis.waivers.yaml in the folder)',
    )
    .addOption(
      new Option('--fix [which]', 'repair what can be repaired: safe, or unsafe for all')
        .choices(['safe', 'unsafe'])
        .preset('safe'),
    )
    .option('--record', 'keep the report, and its digest in the ledger; PORTCULLIS_KEY needs the scope posture:write')
    .option('--url <url>', 'with --record: the server (default: PORTCULLIS_URL, or http://127.0.0.1:8080)')
    .option('--json', 'the same as --format json')
    .addHelpText('after', afterHelp)
    .addCommand(listCommand(io))
    .addCommand(explainCommand(io))
    .addCommand(reportsCommand(io))
    .addCommand(evidenceCommand(io))
    .action(async (options: VerifyOptions) => {
      const [unexpected] = command.args
      if (unexpected !== undefined)
        throw usage(
          `verify takes no "${unexpected}".`,
          'Name what to look at with --repo, --config or --target; `verify list` and `verify explain ID` tell about the checks.',
        )
      if (options.json === true && options.format !== 'json' && command.getOptionValueSource('format') === 'cli')
        throw usage(`--json and --format ${options.format} contradict each other.`, 'Give one of them.')
      const code = await verify(named({ ...options, format: options.json === true ? 'json' : options.format }, io), io)
      if (code !== 0) throw new ExitWith(code)
    })
  return withExamples(
    command,
    'portcullis verify --repo .',
    'portcullis verify --repo . --fix',
    'portcullis verify --repo . --format sarif --output portcullis.sarif',
    'portcullis verify --config portcullis.yaml --target http://127.0.0.1:8080',
    'portcullis verify --repo . --record --format json --output report.json',
    'portcullis verify explain R01',
  )
}

const afterHelp = `
Exit codes, the same in every format; where several hold, the first of 2, 5, 1, 4, 3:
  0    everything that was looked at holds, or is waived
  1    findings of the severity of --fail-on or worse
  2    wrong use of the command
  3    nothing was evaluated
  4    something could not be looked at
  5    a waiver is expired or invalid`

// Where nothing is named, the current folder is meant, if it is a repository.
function named(options: VerifyOptions, io: Io): VerifyOptions {
  const { repo, config, target } = options
  for (const option of ['grpc', 'vantage'] as const)
    if (options[option] !== undefined && target === undefined)
      throw usage(`--${option} says nothing without --target.`, 'Name the HTTP listener with --target.')
  if (options.url !== undefined && options.record !== true)
    throw usage('--url says nothing without --record.', 'Name what is looked at with --target.')
  if (repo === '' || config === '')
    throw usage('An empty name is no file or folder.', 'Name it with --repo or --config.')
  const repoMeant = repo ?? (config === undefined && target === undefined && looksLikeRepository() ? '.' : undefined)
  if (repoMeant === undefined && config === undefined && target === undefined)
    throw usage(
      'Nothing was named to look at, and the current folder is no repository.',
      'Name a folder or a file with --repo, settings with --config, or a running instance with --target.',
    )
  if (options.fix !== undefined && repoMeant === undefined)
    throw usage('--fix repairs files, and no folder was named.', 'Name it with --repo.')
  if (repo === undefined && repoMeant !== undefined) io.err.write('Nothing was named: looking at the current folder.\n')
  return repoMeant === undefined ? options : { ...options, repo: repoMeant }
}

function looksLikeRepository(): boolean {
  return ['.git', '.github'].some((name) => existsSync(name))
}

function profile(name: string): string {
  if (name === 'all') return name
  throw new InvalidArgumentError('There is one profile in this version: all.')
}

function collected(text: string, before: readonly string[]): readonly string[] {
  return [...before, ...text.split(',').flatMap((id) => (id.trim() === '' ? [] : [id.trim()]))]
}

function appended(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

function allowed(text: string, before: readonly Safety[]): readonly Safety[] {
  const found = classes.find((each) => each === text)
  if (found === undefined) throw new InvalidArgumentError(`Allowed choices are ${classes.join(', ')}.`)
  return [...before, found]
}
