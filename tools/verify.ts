import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Everything that can be said about the tree without running a server; `npm run verify` and CI run it. */
const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['types', 'tsc', '--noEmit'],
  ['unused', 'knip', '--no-progress'],
  ['contract lint', 'buf', 'lint'],
  ['contract generated', 'node', 'tools/generate-contract.ts', '--check'],
  ['config reference', 'node', 'tools/generate-config-reference.ts', '--check'],
  ['cli reference', 'node', 'tools/generate-cli-reference.ts', '--check'],
  ['refusals reference', 'node', 'tools/generate-refusals-reference.ts', '--check'],
  ['api reference', 'node', 'tools/generate-api-reference.ts', '--check'],
  ['checks reference', 'node', 'tools/generate-checks-reference.ts', '--check'],
  ['controls page', 'node', 'tools/check-controls.ts'],
  ['wording', 'node', 'tools/check-wording.ts'],
  ['unit tests and coverage', 'vitest', 'run', '--project', 'unit', '--project', 'integration', '--coverage'],
]

if (!process.version.startsWith('v24.')) {
  console.error(`This runs on Node 24 and was started with ${process.version}: use \`npm run verify\`.`)
  process.exit(2)
}
const only = process.argv.slice(2)
const failed: string[] = []
for (const [name, command, ...args] of steps) {
  if (only.length > 0 && !only.some((word) => name.includes(word))) continue
  const report = process.env['VITEST_REPORT']
  const reporters =
    command === 'vitest' && report !== undefined
      ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
      : []
  const startedAt = performance.now()
  const { status } = spawnSync(command, [...args, ...reporters], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `node_modules/.bin:${process.env['PATH'] ?? ''}` },
  })
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.error(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
  if (status !== 0) failed.push(name)
}
const breaking = breakingAgainst()
if (breaking !== undefined && only.length === 0) {
  const { status } = spawnSync('node_modules/.bin/buf', ['breaking', '--against', breaking], { stdio: 'inherit' })
  console.error(`${status === 0 ? 'ok    ' : 'FAILED'} contract breaking, against ${breaking}`)
  if (status !== 0) failed.push('contract breaking')
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`)
  process.exit(1)
}

/** The last release of the contract; before the first one there is nothing to break. */
function breakingAgainst(): string | undefined {
  const { stdout } = spawnSync('git', ['tag', '--list', 'v*', '--sort=-v:refname'], { encoding: 'utf8' })
  const [tag] = stdout.split('\n')
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  return tag === undefined || tag === '' || tag === `v${version}` ? undefined : `.git#tag=${tag}`
}
