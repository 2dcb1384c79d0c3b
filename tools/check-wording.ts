import { spawnSync } from 'node:child_process'

/** The project speaks of itself alone: no registry hosts, no absolute paths of the machine it was written on. */
const patterns = ['registry\\.[a-z]+\\.org', 'deb\\.[a-z]+\\.org', '/wor[k]/', '/hom[e]/[a-z]+/']
const { stdout } = spawnSync('git', ['grep', '-nIE', patterns.join('|'), '--', '.', ':!package-lock.json'], {
  encoding: 'utf8',
})
if (stdout !== '') {
  console.error(`Paths of one machine, or registry hosts, in what is committed:\n${stdout}`)
  process.exit(1)
}
