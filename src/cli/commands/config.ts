import { Command } from 'commander'
import { auditModes } from '#core'
import type { LoadResult } from '#config'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'
import { settingsError } from '../start-errors.ts'

interface ConfigOptions extends JsonOption {
  readonly config?: string
}

type Loaded = Extract<LoadResult, { readonly ok: true }>

export function configCommand(io: Io): Command {
  return new Command('config')
    .description('The settings, from the file, the variables and the defaults.')
    .addCommand(checkCommand(io))
    .addCommand(printCommand(io))
}

function checkCommand(io: Io): Command {
  const command = withFile(new Command('check'))
    .description('Checks the settings and names everything that is wrong with them at once.')
    .action(async (options: ConfigOptions) => {
      const { formatProblems } = await import('#config')
      const { warnings } = await load(options, io)
      if (options.json) io.out.write(`${JSON.stringify({ ok: true, warnings })}\n`)
      else io.out.write(`${formatProblems(warnings)}${warnings.length > 0 ? '\n' : ''}The settings are fine.\n`)
    })
  return withExamples(command, 'portcullis config check --config portcullis.yaml')
}

function printCommand(io: Io): Command {
  const command = withFile(new Command('print'))
    .description('Prints the settings that are in force, with defaults filled in and without secrets.')
    .action(async (options: ConfigOptions) => {
      const { formatProblems, printConfig } = await import('#config')
      const { config, warnings } = await load(options, io)
      if (warnings.length > 0) io.err.write(formatProblems(warnings))
      const text = printConfig(config)
      if (options.json) io.out.write(`${JSON.stringify((await import('yaml')).parse(text))}\n`)
      else io.out.write(`${text}${modesText(await auditModes(), config.audit)}`)
    })
  return withExamples(command, 'portcullis config print --config portcullis.yaml')
}

/** What the contract settles and no setting changes, as comments: what is printed can be read back (SPEC L7). */
function modesText(
  modes: Readonly<Record<string, readonly string[]>>,
  { sinks, checkpoints }: Loaded['config']['audit'],
): string {
  const off = sinks.length === 0 ? 'there are no sinks' : 'audit.checkpoints.acknowledgements is 0'
  const waits = sinks.length > 0 && checkpoints.acknowledgements > 0
  const lines = Object.entries(modes).flatMap(([mode, methods]) => [
    `#   ${mode}${mode === 'required_offbox' && !waits ? `, now as required, for ${off}` : ''}:`,
    ...methods.map((method) => `#     ${method}`),
  ])
  return ['# Audit modes, by method; all others are of the mode required:', ...lines, ''].join('\n')
}

function withFile(command: Command): Command {
  return withJson(command).option('--config <file>', 'the settings file of `serve` (default: no file, as `up` starts)')
}

async function load({ config: file }: ConfigOptions, io: Io): Promise<Loaded> {
  const { loadConfig } = await import('#config')
  const result = loadConfig({ env: io.env, ...(file === undefined ? { mode: 'up' } : { mode: 'serve', file }) })
  if (result.ok) return result
  throw await settingsError(result.problems)
}
