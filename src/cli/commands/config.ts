import { Command } from 'commander'
import { parse } from 'yaml'
import { formatProblems, loadConfig, printConfig, type LoadResult } from '#config'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'

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
    .action((options: ConfigOptions) => {
      const { warnings } = load(options, io)
      if (options.json) io.out.write(`${JSON.stringify({ ok: true, warnings })}\n`)
      else io.out.write(`${formatProblems(warnings)}${warnings.length > 0 ? '\n' : ''}The settings are fine.\n`)
    })
  return withExamples(command, 'portcullis config check --config portcullis.yaml')
}

function printCommand(io: Io): Command {
  const command = withFile(new Command('print'))
    .description('Prints the settings that are in force, with defaults filled in and without secrets.')
    .action((options: ConfigOptions) => {
      const { config, warnings } = load(options, io)
      if (warnings.length > 0) io.err.write(formatProblems(warnings))
      const text = printConfig(config)
      io.out.write(options.json ? `${JSON.stringify(parse(text))}\n` : text)
    })
  return withExamples(command, 'portcullis config print --config portcullis.yaml')
}

function withFile(command: Command): Command {
  return withJson(command).option('--config <file>', 'the settings file of `serve` (default: no file, as `up` starts)')
}

function load({ config: file }: ConfigOptions, io: Io): Loaded {
  const result = loadConfig({ env: io.env, ...(file === undefined ? { mode: 'up' } : { mode: 'serve', file }) })
  if (result.ok) return result
  const { problems } = result
  const errors = problems.filter(({ severity }) => severity === 'error').length
  const message = errors === 1 ? 'There is a problem in the settings.' : `There are ${errors} problems in the settings.`
  throw new CliError('usage', 'config.invalid', message, { problems, text: formatProblems(problems) })
}
