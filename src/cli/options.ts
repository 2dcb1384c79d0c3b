import type { Command } from 'commander'
import { integerBetween } from './integers.ts'

export interface JsonOption {
  readonly json?: boolean
}

export interface ClientOptions extends JsonOption {
  readonly url?: string
  readonly key?: string
  readonly keyFile?: string
}

export interface ListOptions extends ClientOptions {
  readonly limit: number
  readonly all?: boolean
}

export const dirDefault = '.portcullis'

export function withJson(command: Command): Command {
  return command.option('--json', 'print one JSON document on stdout and nothing else')
}

/** What every command that talks to a server takes. */
export function withClient(command: Command): Command {
  return withKey(withUrl(command))
}

export function withUrl(command: Command): Command {
  return command.option('--url <url>', 'the server (default: PORTCULLIS_URL, or http://127.0.0.1:8080)')
}

export function withKey(command: Command): Command {
  const keyed = command
    .option(
      '--key-file <file>',
      'a file that holds the API key (default: PORTCULLIS_KEY, or who signed in with `portcullis login`)',
    )
    .addOption(
      command
        .createOption(
          '--key <key>',
          'the API key itself; other users of this machine can see it, so prefer PORTCULLIS_KEY',
        )
        .conflicts('keyFile'),
    )
  return withJson(keyed)
}

export function withList(command: Command): Command {
  const list = command
    .option('--limit <n>', 'at most this many', integerBetween(1, 100_000), 50)
    .option('--all', 'all of them, however many')
  return withClient(list)
}

export function withDir(command: Command): Command {
  return command.option('--dir <folder>', 'where the instance keeps its files', dirDefault)
}

/** Ends the help of a command with something to copy. */
export function withExamples(command: Command, ...lines: readonly string[]): Command {
  const title = lines.length === 1 ? 'Example:' : 'Examples:'
  return command.addHelpText('after', `\n${title}\n${lines.map((line) => `  $ ${line}`).join('\n')}`)
}
