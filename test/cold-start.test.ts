import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const binary = join(import.meta.dirname, '..', 'bin', 'portcullis.js')
const sources = join(import.meta.dirname, '..', 'src')

// Says which modules a process loads, before its own.
const listing = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module'
  const loaded = []
  registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })
  process.on('exit', () => process.stderr.write('\\n' + JSON.stringify(loaded)))
`)}`

/** The sources that a command loads, by their path in `src`, and what else it loads. */
async function loadedBy(...args: readonly string[]): Promise<readonly string[]> {
  const { promise, resolve } = Promise.withResolvers<string>()
  execFile(process.execPath, ['--import', listing, binary, ...args], (_, __, stderr) => resolve(stderr))
  const urls = JSON.parse((await promise).split('\n').at(-1) ?? '') as readonly string[]
  return urls.map((url) => decodeURIComponent(url).replace(`file://${sources}/`, ''))
}

it('P7: looking at files loads nothing that settings, the wire, sources in code and other commands need', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'portcullis-cold-start-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, '.github', 'workflows'), { recursive: true })
  await writeFile(
    join(folder, '.github', 'workflows', 'ci.yml'),
    'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: npm test\n',
  )
  const loaded = await loadedBy('verify', '--repo', folder)
  expect(loaded).toContain('checks/collect/workflows/workflows.ts')
  const others =
    /^(?:core|config|ledger|server)\/|\/wire\/(?!live-context|connections)|-rule\.ts$|\/lints\.ts$|^checks\/collect\/(?:caddy\/structure|proto\/parse)\.ts$|node_modules\/(?:zod|@grpc|@lezer|libpg-query|dockerfile-ast)\//
  expect(loaded.filter((name) => others.test(name))).toEqual([])
})

it('P7: help loads neither the ledger, nor the checks, nor the server', async () => {
  const loaded = await loadedBy('--help')
  expect(loaded).toContain('cli/program.ts')
  expect(loaded.filter((name) => /^(?:ledger|checks|server|store|config)\//.test(name))).toEqual([])
})
