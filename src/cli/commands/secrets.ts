import { resolve } from 'node:path'
import { Command } from 'commander'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { withExamples, withJson, type JsonOption } from '../options.ts'
import { loadOf, placeOf, withPlace, type PlaceOptions } from '../place.ts'
import { pad, paint, printable } from '../print.ts'
import { ProgressBar } from '../progress.ts'
import { withServer } from '../start-errors.ts'
import type { KeyInventory, RotateReport } from '../secrets-room.ts'

export function secretsCommand(io: Io): Command {
  return new Command('secrets')
    .description('The keys of a deployment, and the secrets that are stored under them.')
    .addCommand(generateCommand(io))
    .addCommand(rotateCommand(io))
    .addCommand(rotateTokenKeysCommand(io))
    .addCommand(listCommand(io))
}

function generateCommand(io: Io): Command {
  const command = withJson(new Command('generate-key'))
    .summary('Makes a master key.')
    .description(
      'Makes an encryption key: 32 random bytes, as base64. With --out it goes into a new file that only you can read, and nothing is shown; a file that is there is never overwritten.',
    )
    .option('--out <file>', 'write it into this new file, mode 0600')
    .option('--print', 'print it on stdout')
    .action(async ({ out, print, json }: JsonOption & { readonly out?: string; readonly print?: boolean }) => {
      const { createKeyFile, generateEncryptionKey, KeyFileError } = await import('#secrets')
      if ((out === undefined) === (print !== true)) {
        const todo = 'Name a file with --out, or say --print to have it on the screen.'
        throw new CliError('usage', 'cli.usage', 'A key needs exactly one place to go.', { todo })
      }
      if (out === undefined) {
        const key = generateEncryptionKey().toString('base64')
        io.out.write(json ? `${JSON.stringify({ key })}\n` : `${key}\n`)
        return
      }
      try {
        const { id } = createKeyFile(resolve(out))
        if (json) io.out.write(`${JSON.stringify({ id, file: out })}\n`)
        else io.out.write(`The key ${id} is in ${printable(out)}. Keep a copy apart from the database.\n`)
      } catch (error) {
        if (!(error instanceof KeyFileError)) throw error
        throw new CliError('usage', 'secrets.key_file', error.message, { cause: error })
      }
    })
  return withExamples(
    command,
    'portcullis secrets generate-key --out /etc/portcullis/master-key',
    'portcullis secrets generate-key --print',
  )
}

function rotateCommand(io: Io): Command {
  const command = withPlace(new Command('rotate'))
    .summary('Makes a new master key and wraps all stored secrets with it.')
    .description(
      'Makes a new master key (or uses the one that was prepared) and wraps every stored secret with it, while servers go on. What was interrupted goes on where it stopped. Old keys stay, for backups.',
    )
    .option('--prepare', 'only add the next key to the file, to be copied to every machine before it is used')
    .action(async ({ json, prepare = false, ...options }: PlaceOptions & { readonly prepare?: boolean }) => {
      const bar = new ProgressBar(io)
      const progress = (done: number, total: number): void => {
        if (!json && total > 0) bar.show({ done, total }, `${done} of ${total} secrets`)
      }
      const report = await withServer(io, loadOf(options), (server) =>
        server.rotateSecrets({ place: placeOf(options, io), prepare, progress }),
      ).finally(() => bar.clear())
      io.out.write(json ? `${JSON.stringify(report)}\n` : rotatedText(report))
    })
  return withExamples(
    command,
    'portcullis secrets rotate',
    'portcullis secrets rotate --prepare --config /etc/portcullis/portcullis.yaml',
    'portcullis secrets rotate --config /etc/portcullis/portcullis.yaml',
  )
}

function rotateTokenKeysCommand(io: Io): Command {
  const command = withPlace(new Command('rotate-token-keys'))
    .summary('Makes the next key that signs access tokens.')
    .description(
      'Makes the next key that signs access tokens, without waiting for the last one to become old. It is published at once and signs later; the last one stays published until its tokens have expired. Servers that run take it over by themselves.',
    )
    .action(async ({ json, ...options }: PlaceOptions) => {
      const report = await withServer(io, loadOf(options), (server) => server.rotateTokenKeys(placeOf(options, io)))
      io.out.write(
        json
          ? `${JSON.stringify(report)}\n`
          : `A new ${report.algorithm} key is published. It signs in ${report.signsInSeconds} s.\n`,
      )
    })
  return withExamples(
    command,
    'portcullis secrets rotate-token-keys',
    'portcullis secrets rotate-token-keys --config /etc/portcullis/portcullis.yaml',
  )
}

function listCommand(io: Io): Command {
  const command = withPlace(new Command('list'))
    .summary('Every key of the deployment, and what its loss means.')
    .description(
      'Lists every key of the deployment: what it protects, where it is, how it is backed up, and what its loss means. No key is shown.',
    )
    .action(async ({ json, ...options }: PlaceOptions) => {
      const inventory = await withServer(io, loadOf(options), (server) => server.listSecrets(placeOf(options, io)))
      io.out.write(json ? `${JSON.stringify(inventory)}\n` : inventoryText(inventory, io))
      if (inventory.databaseProblem === null) return
      if (!json) io.err.write(`${printable(inventory.databaseProblem)}\n`)
    })
  return withExamples(command, 'portcullis secrets list', 'portcullis secrets list --json --config portcullis.yaml')
}

function rotatedText({ newest, prepared, resumed, rewrapped, skipped }: RotateReport): string {
  if (prepared) {
    return `The key ${newest} is prepared: nothing is wrapped with it yet.\nCopy the key file to every machine, then run \`portcullis secrets rotate\`.\n`
  }
  const many = `${rewrapped} ${rewrapped === 1 ? 'secret was' : 'secrets were'} wrapped anew`
  const others = skipped === 0 ? '' : `; ${skipped} had changed meanwhile`
  const what = resumed ? 'An earlier rotation was finished' : 'Rotated'
  return `${what}: ${many}${others}. The key ${newest} wraps from now on.\nBack up the new key. Keep the old ones as long as backups of the database that need them.\n`
}

function inventoryText({ keys }: KeyInventory, io: Io): string {
  const { bold, dim } = paint(io.out.colours)
  return keys
    .map(({ name, count, ...rest }) => {
      const title = `${bold(printable(name))}${count === null ? '' : dim(`  ${count}`)}`
      const lines = Object.entries(rest).map(([key, text]) => `  ${dim(pad(key, 9))}${printable(text)}`)
      return [title, ...lines, ''].join('\n')
    })
    .join('\n')
}
