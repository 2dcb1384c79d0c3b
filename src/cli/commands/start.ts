import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import type { Io } from '../io.ts'
import { runUntilSignalled } from '../lifetime.ts'
import { withDir, withExamples, withJson, type JsonOption } from '../options.ts'
import { withServer } from '../start-errors.ts'
import { welcome } from '../welcome.ts'
import type { Running } from '../server-room.ts'

export function startCommands(io: Io): readonly Command[] {
  return [upCommand(io), serveCommand(io)]
}

function upCommand(io: Io): Command {
  const command = withJson(withDir(new Command('up')))
    .summary('Starts everything on this machine, with a PostgreSQL of its own.')
    .description(
      'Starts everything on this machine, on loopback, with a PostgreSQL of its own. The first start makes the admin key and shows it once.',
    )
    .option('--workers <n>', 'serving processes on this machine', count, 1)
    .action(async ({ dir, workers, json = false }: JsonOption & { readonly dir: string; readonly workers: number }) => {
      if (io.err.interactive && !json) io.err.write(`starting in ${dir} …\n`)
      const start = (): Promise<Running> =>
        withServer(io, { mode: 'up' }, (server) => server.up({ dir: resolve(dir), env: io.env, workers }))
      await runUntilSignalled(start, (running) => show(running, 'up', json, io), io)
    })
  return withExamples(command, 'portcullis up', 'portcullis up --dir /srv/portcullis --json')
}

function serveCommand(io: Io): Command {
  const command = withJson(new Command('serve'))
    .summary('Starts a production server from a settings file.')
    .description(
      'Starts a production server from a settings file and a PostgreSQL that is there already. Refuses settings that are wrong, unsafe or contradictory, and names all of them at once.',
    )
    .requiredOption('--config <file>', 'the settings file')
    .option('--workers <n>', 'serving processes on this machine', count, 1)
    .action(
      async ({ config, workers, json = false }: JsonOption & { readonly config: string; readonly workers: number }) => {
        const start = (): Promise<Running> =>
          withServer(io, { mode: 'serve', file: config }, (server) =>
            server.serve({ configFile: config, env: io.env, workers }),
          )
        await runUntilSignalled(start, (running) => show(running, 'serve', json, io), io)
      },
    )
  return withExamples(command, 'portcullis serve --config /etc/portcullis/portcullis.yaml')
}

function show(running: Running, verb: 'up' | 'serve', json: boolean, io: Io): void {
  if (!json) {
    io.out.write(welcome(running, verb, io.out.colours))
    return
  }
  for (const note of running.notes) io.err.write(`${note}\n`)
  io.out.write(`${JSON.stringify(running.ready)}\n`)
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 64)
    throw new InvalidArgumentError('must be a number from 1 to 64')
  return value
}
