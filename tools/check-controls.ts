import { readdirSync, readFileSync } from 'node:fs'

/**
 * docs/controls.md says for each SPEC row where it is enforced and which test proves it. Every row there must name a file that
 * exists and a test whose name begins with the row's id.
 */
const page = readFileSync('docs/controls.md', 'utf8')
const rows = [...page.matchAll(/^\| ([A-Z]\d+) \|(.*)\|$/gm)].map(([, id = '', rest = '']) => ({
  id,
  cells: rest.split('|').map((cell) => cell.trim()),
}))
const problems: string[] = []
if (rows.length === 0) problems.push('docs/controls.md has no rows')
const tests = readdirSync('.', { recursive: true, encoding: 'utf8' }).filter(
  (file) => !file.startsWith('node_modules') && file.endsWith('.test.ts'),
)
const named = new Map(tests.map((file) => [file, readFileSync(file, 'utf8')]))
const files = new Set(
  readdirSync('.', { recursive: true, encoding: 'utf8' }).filter((file) => !file.startsWith('node_modules')),
)
for (const { id, cells } of rows) {
  if (cells.length !== 4) problems.push(`${id} has ${cells.length + 1} cells instead of 5`)
  if (rows.filter((row) => row.id === id).length > 1) problems.push(`${id} stands there twice`)
  const [, enforced = '', proof = ''] = cells
  for (const [, file = ''] of `${enforced} ${proof}`.matchAll(/`([\w./-]+\.\w+)`/g)) {
    if (!files.has(file)) problems.push(`${id} names ${file}, which does not exist`)
  }
  const proofs = [...proof.matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, file = '']) => file)
  if (proofs.length === 0) problems.push(`${id} names no test`)
  const pattern = new RegExp(`['"\`](?:[A-Z]\\d+,? (?:and )?)*${id}[,:/ ]`)
  if (proofs.length > 0 && !proofs.some((file) => pattern.test(named.get(file) ?? '')))
    problems.push(`${id}: no test named "${id}: ..." in ${proofs.join(', ')}`)
}
if (problems.length > 0) {
  console.error(problems.join('\n'))
  process.exit(1)
}
console.error(`${rows.length} controls, each with its test`)
