import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import { buildReport, controls, jsonReport, runChecks, Tree } from '../../src/checks/index.ts'
import { median, type Bar } from '../bar.ts'
import { writeCorpus } from './corpus.ts'

const filesMax = 1_500
const filesPerSecond = 400
const binary = new URL('../../bin/portcullis.js', import.meta.url).pathname

/** P7: every repository check over workflow files, up to the JSON report, against parsing the same files alone; by turns, in one process. */
export const p7: Bar = {
  id: 'P7',
  claim: `all repository checks over ${filesMax} workflow files against parsing them alone`,
  run: async ({ rounds, seconds, say }) => {
    const files = Math.min(filesMax, Math.ceil(seconds * filesPerSecond))
    const folder = await mkdtemp(join(tmpdir(), 'portcullis-bench-p7-'))
    const small = await mkdtemp(join(tmpdir(), 'portcullis-bench-p7-small-'))
    try {
      await writeCorpus(small, 1)
      // While this process is small and the disk at rest. The first start fills Node's cache of compiled code.
      coldStartMs(small)
      const starts = Array.from({ length: rounds + 4 }, () => coldStartMs(small))
      await writeCorpus(folder, files)
      await verifyAll(folder)
      await parseAll(folder)
      const rates: { ours: number[]; twin: number[] } = { ours: [], twin: [] }
      for (let round = 0; round < rounds; round += 1) {
        rates.ours.push(files / (await secondsOf(() => verifyAll(folder))))
        rates.twin.push(files / (await secondsOf(() => parseAll(folder))))
        say(`round ${round + 1}: ours ${rates.ours.at(-1)?.toFixed(0)}, twin ${rates.twin.at(-1)?.toFixed(0)} files/s`)
      }
      return {
        ours: median(rates.ours),
        twin: median(rates.twin),
        ratio: median(rates.ours.map((rate, round) => rate / (rates.twin[round] ?? Number.NaN))),
        unit: 'files/s',
        more: { coldStartMs: median(starts) },
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
      await rm(small, { recursive: true, force: true })
    }
  },
}

/** What `verify --repo` does. */
async function verifyAll(folder: string): Promise<void> {
  const startedAt = new Date()
  const results = await runChecks({ contexts: { repo: await Tree.open(folder) }, controls })
  const report = buildReport({
    tool: { name: 'portcullis', version: '0' },
    target: { repo: folder },
    startedAt,
    durationMs: 0,
    results,
  })
  if (jsonReport(report).length === 0) throw new Error('there was nothing to say')
}

async function parseAll(folder: string): Promise<void> {
  const workflows = join(folder, '.github', 'workflows')
  const names = await readdir(workflows)
  const texts = await Promise.all(names.map((name) => readFile(join(workflows, name), 'utf8')))
  for (const text of texts) parseDocument(text, { lineCounter: new LineCounter() })
}

async function secondsOf(run: () => Promise<void>): Promise<number> {
  const startedAt = performance.now()
  await run()
  return (performance.now() - startedAt) / 1000
}

// By its first line, as a shell starts it, until it has ended.
function coldStartMs(folder: string): number {
  const startedAt = performance.now()
  const { status } = spawnSync(binary, ['verify', '--repo', folder, '--format', 'json'], { stdio: 'ignore' })
  if (status === null || status === 2) throw new Error('the command did not run')
  return performance.now() - startedAt
}
