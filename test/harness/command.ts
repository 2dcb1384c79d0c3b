import { setTimeout as sleep } from 'node:timers/promises'
import { fakeIo } from '../../src/cli/fakes.ts'
import { run } from '../../src/cli/main.ts'
import { loadServerRoom } from '../../src/cli/server-room.ts'
import type { Exit } from './portcullis.ts'

/** A command of the product within the process of the test, with the clock and the server room of the binary. */
export class Command {
  readonly exited: Promise<Exit>
  readonly #written: { readonly out: string; readonly err: string }

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const { PATH, HOME } = process.env
    const io = fakeIo({
      env: { PATH, HOME, ...env },
      now: () => Date.now(),
      monotonic: () => performance.now(),
      sleep: (ms) => sleep(ms),
      server: loadServerRoom,
    })
    this.#written = io.written
    this.exited = run(args, io).then((code) => ({ code, signal: null, stdout: this.stdout, stderr: this.stderr }))
  }

  get stdout(): string {
    return this.#written.out
  }

  get stderr(): string {
    return this.#written.err
  }
}
