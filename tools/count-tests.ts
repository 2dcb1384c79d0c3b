import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Adds up the JSON reports of the test runs of .ci/run; the last line is `N passed, N failed`. */
const [folder = '.', status = '0'] = process.argv.slice(2)
let passed = 0
let failed = 0
for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
    numPassedTests: number
    numFailedTests: number
    success: boolean
  }
  passed += report.numPassedTests
  failed += report.numFailedTests
}
// A step that failed without a failing test (format, types, a suite that did not load) counts as one.
if (status !== '0' && failed === 0) failed = 1
if (passed === 0) failed += 1
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
