import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Io } from '../io.ts'
import { withDir, withExamples, withJson, type JsonOption } from '../options.ts'
import { withServer } from '../start-errors.ts'

interface ShowOptions extends JsonOption {
  readonly dir: string
  readonly config?: string
  readonly log: readonly string[]
}

/** The key that signs checkpoints. */
export function ledgerKeyCommand(io: Io): Command {
  return new Command('key')
    .description('The key that signs the checkpoints of the ledger.')
    .addCommand(makeCommand(io))
    .addCommand(showCommand(io))
}

function makeCommand(io: Io): Command {
  const command = withJson(new Command('make'))
    .summary('Makes a key that signs checkpoints.')
    .description(
      'Makes an Ed25519 key in a new file, 0600. Name it in audit.checkpoints.keyFile; every replica needs a copy. To change the key of a deployment, add what `ledger key show` prints for the one before to audit.checkpoints.knownKeys.',
    )
    .argument('<file>', 'the file to make; one that is there is never overwritten')
    .action(async (file: string, { json }: JsonOption) => {
      await withServer(io, undefined, (server) => server.makeCheckpointKey(resolve(file)))
      if (json) io.out.write(`${JSON.stringify({ file: resolve(file) })}\n`)
      else io.out.write(`Made ${file}. Keep a copy of it where the database and its backups are not.\n`)
    })
  return withExamples(command, 'portcullis ledger key make checkpoint-key.pem')
}

function showCommand(io: Io): Command {
  const command = withJson(withDir(new Command('show')))
    .summary('Prints the public keys that verify checkpoints.')
    .description(
      'Prints the verifier keys of logs (C2SP signed-note): the key that signs now first, then those before it. Give them to whoever checks checkpoints; keep them apart from the ledger. Needs access to the folder of `up`, or with --config to the key file.',
    )
    .option('--config <file>', 'the settings file of a production instance, instead of --dir')
    .option(
      '--log <name...>',
      'the logs: the name of a key is the origin of its log (default: main and system)',
      (name: string, before: readonly string[] | undefined) => [...(before ?? []), name],
    )
    .action(async ({ dir, config, log = ['main', 'system'], json }: Partial<ShowOptions> & { dir: string }) => {
      const shown = await withServer(io, config === undefined ? undefined : { mode: 'serve', file: config }, (server) =>
        server.showCheckpointKeys({ dir, configFile: config, env: io.env, logs: log }),
      )
      if (json) io.out.write(`${JSON.stringify({ logs: shown })}\n`)
      else io.out.write(shown.flatMap(({ vkeys }) => vkeys.map((vkey) => `${vkey}\n`)).join(''))
    })
  return withExamples(
    command,
    'portcullis ledger key show',
    'portcullis ledger key show --config portcullis.yaml --log acme',
  )
}
