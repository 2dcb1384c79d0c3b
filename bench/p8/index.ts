import { readFileSync } from 'node:fs'
import type { Bar } from '../bar.ts'
import { load } from '../load.ts'
import { startOurs } from '../ours.ts'
import { hardenedCalls } from '../p1/index.ts'

// Half of what the machine does flat out is about what 32 callers in flight reach.
const inFlight = 32

/** P8: memory of the serving process under half load, and its CPU when idle. There is no twin: the bar is absolute. */
export const p8: Bar = {
  id: 'P8',
  claim: 'resident memory after load (MB) and idle CPU (%); the twin column is the bar of 350 MB',
  run: async ({ rounds, seconds, say }) => {
    const ours = await startOurs()
    try {
      const call = await hardenedCalls(ours)
      const sizes: number[] = []
      for (let round = 0; round < rounds; round += 1) {
        await load(ours.grpc, inFlight, seconds, call)
        sizes.push(rssMb(ours.pid))
        say(`round ${round + 1}: ${sizes.at(-1)?.toFixed(0)} MB`)
      }
      const before = cpuSeconds(ours.pid)
      const idleSeconds = Math.min(20, 5 * seconds)
      await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000))
      const idle = ((cpuSeconds(ours.pid) - before) / idleSeconds) * 100
      const last = sizes.at(-1) ?? Number.NaN
      return {
        ours: last,
        twin: 350,
        ratio: last / 350,
        unit: 'MB',
        more: {
          firstMb: sizes[0] ?? Number.NaN,
          mostMb: Math.max(...sizes),
          idleCpuPercent: idle,
          seconds: rounds * seconds,
        },
      }
    } finally {
      await ours.stop()
    }
  },
}

function rssMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return (Number(match?.[1]) * 1024) / 1e6
}

/** User and system time of a process so far; the kernel counts in hundredths of a second. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
