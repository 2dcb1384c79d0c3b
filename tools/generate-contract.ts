import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Generates contract/gen from the .proto files; with --check only says whether what is committed is what comes out. */
const check = process.argv.includes('--check')
const kept = check ? mkdtempSync(join(tmpdir(), 'portcullis-gen-')) : undefined
if (kept !== undefined) cpSync('contract/gen', kept, { recursive: true })
const { status } = spawnSync('node_modules/.bin/buf', ['generate'], {
  stdio: 'inherit',
  env: { ...process.env, PATH: `${process.cwd()}/node_modules/.bin:${process.env['PATH'] ?? ''}` },
})
if (status !== 0) process.exit(1)
if (kept !== undefined) {
  const stale = read('contract/gen') !== read(kept)
  // What was there is put back: a check changes nothing.
  cpSync(kept, 'contract/gen', { recursive: true })
  rmSync(kept, { recursive: true })
  if (stale) {
    console.error('contract/gen is not what the .proto files generate: run `npm run generate`')
    process.exit(1)
  }
}

function read(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .toSorted()
    .map((file) => `${file}\n${readFileSync(join(folder, file), 'utf8')}`)
    .join('\n')
}
