import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { embeddedHome } from '../../src/server/embedded/index.ts'

/** The postmaster of an instance of `up`, and every process below it. */
export async function postgresProcesses(dir: string): Promise<readonly number[]> {
  const pidFile = join(embeddedHome(dir).home, 'pgdata', 'postmaster.pid')
  const postmaster = Number((await readFile(pidFile, 'utf8')).split('\n')[0])
  const parents = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => ({ pid: Number(pid), stat: await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '') })),
  )
  // After the name, which ends with the last parenthesis: state, then the parent.
  return [
    postmaster,
    ...parents
      .filter(({ stat }) => Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]) === postmaster)
      .map(({ pid }) => pid),
  ]
}
