import { Command, Option } from 'commander'
import { severities, type Severity, type Tree } from '#checks'
import { ExitWith, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples } from '../options.ts'

interface Options {
  readonly repo?: string
  readonly failOn: Severity
  readonly format: 'text' | 'json'
  readonly json?: boolean
}

/** `portcullis verify`: is the deployment hardened? Looks at files, settings and the wire, and changes nothing without --fix. */
export function verifyCommand(io: Io): Command {
  const command = new Command('verify')
    .description('Checks that a repository, its settings and a running deployment are hardened.')
    .option('--repo <path>', 'the folder, or one file, to look at')
    .addOption(new Option('--format <format>', 'how to say it').choices(['text', 'json']).default('text'))
    .addOption(
      new Option('--fail-on <severity>', 'exit with 1 from this severity on').choices(severities).default('medium'),
    )
    .option('--json', 'the same as --format json')
    .action(async (options: Options) => {
      const checks = await import('#checks')
      const startedAt = new Date(io.now())
      const started = io.monotonic()
      if (options.repo === undefined) throw usage('Nothing was named to look at.', 'Name a folder with --repo.')
      const repo = await openTree(options.repo, checks.Tree)
      const results = await checks.runChecks({ contexts: { repo }, controls: checks.controls })
      const report = checks.buildReport({
        tool: { name: 'portcullis', version: '0' },
        target: { repo: options.repo },
        startedAt,
        durationMs: Math.round(io.monotonic() - started),
        results,
      })
      io.out.write(`${checks.jsonReport(report)}\n`)
      const code = checks.exitCodeOf(
        [
          ...report.results,
          ...report.controls.map(({ control, outcome }) => ({ severity: control.severity, outcome })),
        ],
        options.failOn,
        false,
      )
      if (code !== 0) throw new ExitWith(code)
    })
  return withExamples(command, 'portcullis verify --repo .')
}

async function openTree(path: string, trees: typeof Tree): Promise<Tree> {
  try {
    return await trees.open(path)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw usage(`${path} cannot be read: ${code}.`, 'Name a folder or a file that is there.')
  }
}
