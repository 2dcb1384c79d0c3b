import { readFileSync, writeFileSync } from 'node:fs'
import { getConstructionPlans } from 'pg-boss'

// `node tools/generate-job-queue.ts` writes the schema of pg-boss into its migration; with --check it fails where that is another
// one than the installed version has. Only while the migration is not released: later versions get a migration of their own.
const file = new URL('../src/store/migrations/0021_jobs.sql', import.meta.url)
const [from, to] = ['-- pg-boss begins: written by tools/generate-job-queue.ts\n', '-- pg-boss ends\n']

/** The schema of the queue as the installed pg-boss makes it, without a transaction and a lock of its own: `migrate` has both. */
export function queuePlans(): string {
  const own = /^\s*(?:BEGIN;|COMMIT;|SET LOCAL .*;|SELECT pg_advisory_xact_lock\(.*\);)$/
  const lines = getConstructionPlans('pgboss')
    .split('\n')
    .filter((line) => !own.test(line))
    .map((line) => line.trimEnd())
  return `${lines
    .join('\n')
    .replace(/\n\s*;/g, ';')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`
}

/** What the migration has of it. */
export function migratedPlans(): string {
  const { begin, end, text } = section()
  return text.slice(begin, end)
}

function section(): { readonly text: string; readonly begin: number; readonly end: number } {
  const text = readFileSync(file, 'utf8')
  const [start, end] = [text.indexOf(from), text.indexOf(to)]
  if (start < 0 || end < start) throw new Error(`${file.pathname} lost the lines around the schema of pg-boss`)
  return { text, begin: start + from.length, end }
}

function main(args: readonly string[]): void {
  if (!args.includes('--check')) {
    const { text, begin, end } = section()
    writeFileSync(file, `${text.slice(0, begin)}${queuePlans()}${text.slice(end)}`)
    return
  }
  if (migratedPlans() === queuePlans()) return
  console.error('The schema of pg-boss has changed: give the new version a migration of its own.')
  process.exitCode = 1
}

if (import.meta.main) main(process.argv.slice(2))
