import { resolve } from 'node:path'
import { Command } from 'commander'
import { readFirstLine } from '../bounded-read.ts'
import { usage } from '../errors.ts'
import type { Io } from '../io.ts'
import { withDir, withExamples, withJson, type JsonOption } from '../options.ts'
import { printable } from '../print.ts'
import { withServer } from '../start-errors.ts'

interface PasswordOptions extends JsonOption {
  readonly dir: string
  readonly config?: string
  readonly tenant: string
}

const stdinBytesMax = 4096

/** The password comes from a terminal or from stdin: arguments are seen by other users, and kept by shells. */
export function operatorPasswordCommand(io: Io): Command {
  const command = withJson(withDir(new Command('password')))
    .summary('Sets the password of an operator, for one who has lost it.')
    .description(
      'Sets the password of an operator who has lost it, and ends the sessions of the operator, the tokens under them, and links that are not used yet. Asks for the password, or reads the first line of stdin. Needs access to the folder of `up`, or with --config the owner role of the database; recorded in the ledger.',
    )
    .argument('<operator>', 'its name')
    .option('--tenant <name>', 'the tenant that it runs', 'main')
    .option('--config <file>', 'the settings file of a production instance, instead of --dir')
    .action(async (name: string, { config, dir, json, tenant }: PasswordOptions) => {
      const person = { tenant, name, password: await readPassword(io) }
      const operator = await (config === undefined
        ? withServer(io, undefined, (server) => server.setPassword(resolve(dir), person))
        : withServer(io, { mode: 'serve', file: config }, (server) =>
            server.setPasswordWith({ configFile: config, env: io.env }, person),
          ))
      if (json) io.out.write(`${JSON.stringify({ operator })}\n`)
      else io.out.write(`The password of ${printable(name)} is set; sessions, tokens and unused links have ended.\n`)
    })
  return withExamples(
    command,
    'portcullis operator password ada --config portcullis.yaml',
    'pass show ada | portcullis operator password ada --tenant clinic --config portcullis.yaml',
  )
}

async function readPassword(io: Io): Promise<string> {
  if (io.askSecret === undefined) {
    const line = await readFirstLine(io.stdin, stdinBytesMax)
    if (line === undefined) throw usage('That is too long for a password.', `At most ${stdinBytesMax} bytes.`)
    if (line === '') throw usage('There is no password.', 'Write it as the first line of stdin.')
    return line
  }
  const password = await io.askSecret('New password: ')
  if (password !== (await io.askSecret('Once more: '))) throw usage('These are not the same.', 'Try again.')
  return password
}
