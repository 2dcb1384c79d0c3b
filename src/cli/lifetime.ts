import { exitCodes } from './errors.ts'
import type { Io } from './io.ts'
import type { Running } from './server-room.ts'

// npm sends on the SIGINT that the terminal has sent to both already; one Ctrl-C must not count as two.
const repeatMs = 250

/**
 * Starts a server and stays until SIGINT or SIGTERM, then drains. A second SIGINT ends the process at once. A signal during the
 * start takes effect when the start is done, so that nothing is left half made.
 */
export async function runUntilSignalled(
  start: () => Promise<Running>,
  show: (running: Running) => void,
  io: Io,
): Promise<void> {
  const stopping = Promise.withResolvers<void>()
  let firstMs: number | undefined
  io.onSignal((signal) => {
    if (firstMs === undefined) {
      firstMs = io.monotonic()
      io.err.write('draining\n')
      stopping.resolve()
    } else if (signal === 'SIGINT' && io.monotonic() - firstMs >= repeatMs) {
      io.exit(exitCodes.interrupted)
    }
  })
  const running = await start()
  // Shown even where a signal came first: the admin key of a first start is shown now or never.
  show(running)
  await stopping.promise
  await running.stop()
}
