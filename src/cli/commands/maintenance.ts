import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Io } from '../io.ts'
import { withDir, withExamples, withJson, type JsonOption } from '../options.ts'
import { withServer } from '../start-errors.ts'

export function maintenanceCommands(io: Io): readonly Command[] {
  return [migrateCommand(io), downCommand(io), adminCommand(io)]
}

interface MigrateOptions extends JsonOption {
  readonly config: string
  readonly plan?: boolean
}

interface DirOptions extends JsonOption {
  readonly dir: string
}

interface RecoverOptions extends DirOptions {
  readonly config?: string
}

function migrateCommand(io: Io): Command {
  const command = withJson(new Command('migrate'))
    .summary('Brings the database schema up to date, as the owner role.')
    .description('Brings the schema of the database up to date, as the owner role (database.owner).')
    .requiredOption('--config <file>', 'the settings file')
    .option('--plan', 'say what would be done, and do nothing')
    .action(async ({ config, plan = false, json }: MigrateOptions) => {
      const result = await withServer(io, { mode: 'serve', file: config }, (server) =>
        server.migrateWith({ configFile: config, env: io.env, plan }),
      )
      if (json) {
        io.out.write(`${JSON.stringify({ plan, ...result })}\n`)
        return
      }
      const { applied, adminKey } = result
      for (const { version, name } of applied) io.out.write(`${plan ? 'would apply' : 'applied'} ${version} ${name}\n`)
      if (applied.length === 0) io.out.write('The schema is up to date.\n')
      if (adminKey !== null) io.out.write(keyText(adminKey))
    })
  return withExamples(
    command,
    'portcullis migrate --plan --config portcullis.yaml',
    'portcullis migrate --config portcullis.yaml',
  )
}

function downCommand(io: Io): Command {
  const command = withJson(withDir(new Command('down')))
    .summary('Stops a PostgreSQL that an earlier `up` left running.')
    .description('Stops the PostgreSQL of an instance that `up` left running, for example because it was killed.')
    .action(async ({ dir, json }: DirOptions) => {
      const outcome = await withServer(io, undefined, (server) => server.down(resolve(dir)))
      if (json) io.out.write(`${JSON.stringify({ outcome })}\n`)
      else io.out.write(outcome === 'stopped' ? `Stopped the PostgreSQL of ${dir}.\n` : `Nothing runs in ${dir}.\n`)
    })
  return withExamples(command, 'portcullis down')
}

function adminCommand(io: Io): Command {
  const recover = withJson(withDir(new Command('recover')))
    .summary('Makes a new admin key, for when the first one is lost.')
    .description(
      'Makes a new admin key and a new one-time sign-in link, for when the first ones are lost. Needs access to the folder of `up`, or with --config the owner role of the database; recorded in the ledger.',
    )
    .option('--config <file>', 'the settings file of a production instance, instead of --dir')
    .action(async ({ dir, config, json }: RecoverOptions) => {
      const recovered = await (config === undefined
        ? withServer(io, undefined, (server) => server.recoverAdmin(resolve(dir)))
        : withServer(io, { mode: 'serve', file: config }, (server) =>
            server.recoverAdminWith({ configFile: config, env: io.env }),
          ))
      if (json) io.out.write(`${JSON.stringify(recovered)}\n`)
      else io.out.write(`${keyText(recovered.adminKey)}\n${signInText(recovered.signInPath)}`)
    })
  const group = new Command('admin').description('The administrator of an instance.')
  return group.addCommand(
    withExamples(
      recover,
      'portcullis admin recover --dir .portcullis',
      'portcullis admin recover --config portcullis.yaml',
    ),
  )
}

function signInText(path: string): string {
  return `Sign in to the console, once and within 15 minutes, at the HTTP address of the server:\n${path}\n`
}

function keyText(adminKey: string): string {
  return `The new admin key, shown this once:\nexport PORTCULLIS_KEY=${adminKey}\n`
}
