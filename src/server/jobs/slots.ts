import { workerOf } from '../telemetry/resource.ts'

/**
 * How many jobs this process takes at a time: of several workers of one machine its share, and one at least, so that whichever of them is left
 * takes over (SPEC J2). None where the server takes none.
 */
export function slotsOf(atOnce: number, env: Readonly<Record<string, string | undefined>>): number {
  const worker = workerOf(env)
  if (atOnce === 0 || worker === undefined) return atOnce
  const workers = Number(env['PORTCULLIS_WORKERS'])
  const share = Math.floor(atOnce / workers) + (Number(worker) < atOnce % workers ? 1 : 0)
  return Math.max(1, share)
}
