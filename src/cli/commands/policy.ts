import { Command } from 'commander'
import type { Config } from '#config'
import { CliError, usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'
import { settingsError } from '../start-errors.ts'
import { capCommand, capsCommand } from './policy-cap.ts'
import { getCommand, setCommand } from './policy-limits.ts'

interface PolicyOptions extends JsonOption {
  readonly config?: string
}

export function policyCommand(io: Io): Command {
  return new Command('policy')
    .description('What runs may use at most, and fine policies in the language Cedar.')
    .addCommand(getCommand(io))
    .addCommand(setCommand(io))
    .addCommand(capsCommand(io))
    .addCommand(capCommand(io))
    .addCommand(checkCommand(io))
    .addCommand(schemaCommand(io))
}

function checkCommand(io: Io): Command {
  const command = withConfig(new Command('check'))
    .argument('[folder]', 'the folder of *.cedar files (default: policy.cedarDir of --config)')
    .description('Validates policies as the start does, without a server.')
    .action(async (folder: string | undefined, options: PolicyOptions) => {
      const config = await settingsOf(options, io)
      const dir = folder ?? config?.policy.cedarDir
      if (dir === undefined) throw usage('There is no folder to look at.', 'Name it, or --config with policy.cedarDir.')
      const report = await (await io.server()).checkPolicies(dir, config)
      if (options.json) io.out.write(`${JSON.stringify(report)}\n`)
      else io.out.write(linesOf(report))
      if (!report.ok) throw new CliError('refused', 'policy.invalid', 'The policies cannot be used.', { silent: true })
    })
  return withExamples(command, 'portcullis policy check policies/', 'portcullis policy check --config portcullis.yaml')
}

function schemaCommand(io: Io): Command {
  const command = withConfig(new Command('schema'))
    .description('Prints the Cedar schema: every action, with the groups it is in, and what policies know of a call.')
    .action(async (options: PolicyOptions) => {
      const schema = (await io.server()).showPolicySchema(await settingsOf(options, io))
      io.out.write(options.json ? `${JSON.stringify({ schema })}\n` : schema)
    })
  return withExamples(command, 'portcullis policy schema --config portcullis.yaml > portcullis.cedarschema')
}

function withConfig(command: Command): Command {
  return withJson(command).option('--config <file>', 'the settings file of `serve`, for the actions of its services')
}

async function settingsOf({ config: file }: PolicyOptions, io: Io): Promise<Config | undefined> {
  if (file === undefined) return undefined
  const { loadConfig } = await import('#config')
  const loaded = loadConfig({ env: io.env, mode: 'serve', file })
  if (loaded.ok) return loaded.config
  throw await settingsError(loaded.problems)
}

function linesOf({ ok, files, policies, problems, warnings }: Report): string {
  const lines = [
    ...warnings.map((warning) => `warning  ${warning}`),
    ...problems.map((problem) => `error    ${problem}`),
    ok
      ? `Fine: ${counted(policies, 'policy', 'policies')} in ${counted(files, 'file', 'files')}.`
      : 'The policies cannot be used.',
  ]
  return `${lines.join('\n')}\n`
}

function counted(count: number, one: string, several: string): string {
  return `${count} ${count === 1 ? one : several}`
}

type Report = Awaited<ReturnType<Awaited<ReturnType<Io['server']>>['checkPolicies']>>
