import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Io } from '../io.ts'
import { withDir, withExamples, withJson, type JsonOption } from '../options.ts'
import { ProgressBar } from '../progress.ts'
import type { OnProgress } from '../server-room.ts'
import { withServer } from '../start-errors.ts'

interface DirOptions extends JsonOption {
  readonly dir: string
}

export function backupCommands(io: Io): readonly Command[] {
  return [backupCommand(io), restoreCommand(io)]
}

function backupCommand(io: Io): Command {
  const command = withJson(withDir(new Command('backup')))
    .summary('Copies an instance of `up` into a folder, while it runs.')
    .description(
      'Copies the database of an instance of `up` into a new folder, while it runs, with all that is needed to start from it but the keys: those are named and have to be kept apart.',
    )
    .argument('<folder>', 'a new folder')
    .action(async (folder: string, { dir, json }: DirOptions) => {
      const made = await withProgress(io, (progress) =>
        withServer(io, undefined, (server) => server.backUp({ dir: resolve(dir), to: resolve(folder), progress })),
      )
      if (json) {
        io.out.write(`${JSON.stringify({ folder, created: made.created, logs: made.logs, keys: made.keys })}\n`)
        return
      }
      const entries = made.logs.reduce((sum, { size }) => sum + size, 0)
      io.out.write(`Backed up ${dir} to ${folder}: ${made.logs.length} logs with ${entries} entries.\n`)
      io.out.write('Keep these keys apart from it; without them secrets cannot be read and nothing can be signed:\n')
      for (const { file, fingerprint } of made.keys) io.out.write(`  ${file}  (fingerprint ${fingerprint})\n`)
    })
  return withExamples(command, 'portcullis backup /srv/backup/2026-11-21')
}

function restoreCommand(io: Io): Command {
  const command = withJson(withDir(new Command('restore')))
    .summary('Makes an instance of `up` from a backup, and verifies its ledger.')
    .description(
      'Makes an instance of `up` from a backup in a folder that has none. Every file is compared with the manifest, and every log of the ledger is verified. An instance is never overwritten.',
    )
    .argument('<folder>', 'the folder of the backup')
    .action(async (folder: string, { dir, json }: DirOptions) => {
      const made = await withProgress(io, (progress) =>
        withServer(io, undefined, (server) => server.restore({ from: resolve(folder), dir: resolve(dir), progress })),
      )
      if (json) {
        io.out.write(`${JSON.stringify(made)}\n`)
        return
      }
      const entries = made.logs.reduce((sum, { size }) => sum + size, 0)
      io.out.write(`Restored the backup of ${made.created} to ${made.home}.\n`)
      io.out.write(`All ${made.logs.length} logs verify, ${entries} entries.\n`)
      for (const { file, fingerprint } of made.missingKeys)
        io.out.write(`Before the start put the key ${file} (fingerprint ${fingerprint}) into ${made.home}.\n`)
      io.out.write(`Start it with: portcullis up --dir ${dir}\n`)
    })
  return withExamples(command, 'portcullis restore /srv/backup/2026-11-21 --dir /srv/portcullis')
}

async function withProgress<T>(io: Io, work: (progress: OnProgress) => Promise<T>): Promise<T> {
  const bar = new ProgressBar(io)
  try {
    return await work(({ bytes, totalBytes }) =>
      bar.show({ done: bytes, total: totalBytes }, `${Math.round(bytes / 1024 / 1024)} MiB`),
    )
  } finally {
    bar.clear()
  }
}
