import { exitCodes, report } from './errors.ts'
import { processIo, type Io } from './io.ts'

/** The binary: runs the command in `args` and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const code = await run(args, processIo())
  // What was written must be out first. Not waiting for handles to close: a reply that nobody reads any more would hold us.
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((done) => stream.write('', done))))
  process.exit(code)
}

/** Runs the command in `args` and gives its exit code. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const options = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  const json = options.includes('--json')
  try {
    const program =
      args[0] === 'verify'
        ? (await import('./verify-program.ts')).verifyProgram(io, json)
        : (await import('./program.ts')).buildProgram(io, json)
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    return report(error, json, io)
  }
}
