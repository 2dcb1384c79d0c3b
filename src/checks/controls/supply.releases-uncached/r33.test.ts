import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/release.yml'
const job = (steps: string, more = ''): Record<string, string> => ({
  [path]: `on: push\njobs:\n  a:\n    runs-on: x\n${more}    steps:\n${steps}`,
})
const publish = '      - run: npm publish\n'
const step = (uses: string, inputs = ''): string =>
  `      - uses: ${uses}\n${inputs === '' ? '' : `        with:\n          ${inputs}\n`}`

describe('R33', () => {
  it.each([
    ['no cache', step('actions/setup-node@v4', 'node-version: 24')],
    ['lookup only', step('actions/cache@v4', 'lookup-only: true')],
    ['saving only', step('actions/cache/save@v4', 'path: x')],
    ['Go, off', step('actions/setup-go@v5', 'cache: false')],
    ['Go, before it had a cache', step('actions/setup-go@v3')],
    ['uv, off', step('astral-sh/setup-uv@v6', 'enable-cache: false')],
    ['uv, since it is off by default', step('astral-sh/setup-uv@20cfd1bf945f4377ade1205e4dbc17946fc9a30d # v10.0.1')],
    ['gradle, off', step('gradle/actions/setup-gradle@v4', 'cache-disabled: true')],
    ['off for tags', step('actions/setup-go@v5', "cache: ${{ !startsWith(github.ref, 'refs/tags/') }}")],
    ['skipped for tags', "      - if: ${{ !startsWith(github.ref, 'refs/tags/') }}\n        uses: actions/cache@v4\n"],
    ['skipped in releases', "      - if: github.event_name != 'release'\n        uses: actions/cache@v4\n"],
    ['layers of a registry', step('docker/build-push-action@v6', 'cache-from: type=registry,ref=ghcr.io/o/c')],
    ['Node without a named package manager', step('actions/setup-node@v6')],
  ])('R33: holds in a job that publishes (%s)', async (_, steps) => {
    expect((await judged('R33', job(steps + publish))).outcome).toBe('PASS')
  })

  it.each(['none', 'write-only'])('R33: holds where the cache service gives nothing out (%s)', async (mode) => {
    const files = job(step('actions/cache@v4', 'path: x') + publish, `    cache-mode: ${mode}\n`)
    expect((await judged('R33', files)).outcome).toBe('PASS')
  })

  it('R33: does not apply where nothing is published', async () => {
    expect((await judged('R33', job(step('actions/cache@v4', 'path: x')))).outcome).toBe('NOT_APPLICABLE')
  })

  it('R33: a workflow that cannot be read is an error', async () => {
    expect((await judged('R33', { [path]: 'jobs: [' })).outcome).toBe('ERROR')
  })

  it('R33: a cache after the publication, or in a job beside it, does not count', async () => {
    expect((await judged('R33', job(publish + step('actions/cache@v4', 'path: x')))).outcome).toBe('PASS')
    const text = `on: push\njobs:\n  test:\n    runs-on: x\n    steps:\n${step('actions/cache@v4', 'path: x')}  a:\n    needs: test\n    runs-on: x\n    steps:\n${publish}`
    expect((await judged('R33', { [path]: text })).outcome).toBe('PASS')
  })

  it.each([
    ['block style', step('actions/setup-node@v4', 'cache: npm'), `${path}:8:18 FAIL`],
    ['flow style', '      - { uses: actions/setup-node@v4, with: { cache: npm } }\n', `${path}:6:55 FAIL`],
    ['quoted', step('"actions/setup-node@v4"', '"cache": "npm"'), `${path}:8:20 FAIL`],
    ['CRLF', step('actions/setup-node@v4', 'cache: npm').replaceAll('\n', '\r\n'), `${path}:8:18 FAIL`],
    [
      'anchored',
      `      - uses: actions/setup-node@v4\n        with: &w\n          cache: npm\n${step('actions/setup-node@v4').trimEnd()}\n        with: *w\n`,
      `${path}:8:18 FAIL`,
    ],
  ])('R33: the same fault however it is written (%s)', async (_, steps, place) => {
    const files = job(steps + publish)
    const result = await judged('R33', files)
    expect(places(result)).toEqual([place])
    expect((await judged('R33', repaired(result, files))).outcome).toBe('PASS')
  })

  it.each([
    ['Go by default', step('actions/setup-go@v5')],
    ['Go by default, by commit', step('actions/setup-go@4b73464bb391d4059bd26b0524d20df3927bd417 # v6.3.0')],
    ['Go on a branch', step('actions/setup-go@main')],
    ['uv by default', step('astral-sh/setup-uv@v6')],
    ['Python', step('actions/setup-python@v5', 'cache: pip')],
    ['Java', step('actions/setup-java@v4', 'cache: gradle')],
    ['Rust', step('Swatinem/rust-cache@v2')],
    ['Gradle', step('gradle/actions/setup-gradle@v4')],
    ['Bun', step('oven-sh/setup-bun@v2')],
    ['layers', step('docker/build-push-action@v6', 'cache-from: type=gha')],
    ['on for tags', step('actions/setup-go@v5', "cache: ${{ startsWith(github.ref, 'refs/tags/') }}")],
  ])('R33: a cache in a job that publishes fails, and turning it off is safe (%s)', async (_, steps) => {
    const files = job(steps + publish)
    const result = await judged('R33', files)
    expect(result.evidence.map(({ outcome }) => outcome)).toEqual(['FAIL'])
    expect((await judged('R33', repaired(result, files))).outcome).toBe('PASS')
  })

  it.each([
    ['actions/cache', step('actions/cache@v4', 'path: x')],
    ['actions/cache/restore', step('actions/cache/restore@v4', 'path: x')],
    ['an action without an input for it', step('Mozilla-Actions/sccache-action@v0')],
  ])('R33: %s fails without a fix, because other steps may rely on it', async (_, steps) => {
    const result = await judged('R33', job(steps + publish))
    expect(result.outcome).toBe('FAIL')
    expect(result.evidence[0]?.fix).toBeUndefined()
  })

  it('R33: turning the cache of Ruby off is not safe', async () => {
    const result = await judged('R33', job(step('ruby/setup-ruby@v1', 'bundler-cache: true') + publish))
    expect(result.evidence[0]?.fix).toMatchObject({ safety: 'unsafe' })
  })

  it.each([
    ['npm@11.5.1', 'v6', 'FAIL'],
    ['pnpm@10.0.0', 'v6', 'PASS'],
    ['pnpm@10.0.0', 'v5', 'FAIL'],
    ['npm@11.5.1', 'v4', 'PASS'],
    ['npm@11.5.1', '53b83947a5a98c8d113130e565377fae1a50d02f', 'WARN'],
  ])('R33: Node caches by itself where package.json says so (%s, %s: %s)', async (packageManager, ref, outcome) => {
    const files = {
      ...job(step(`actions/setup-node@${ref}`) + publish),
      'package.json': JSON.stringify({ packageManager }),
    }
    const result = await judged('R33', files)
    expect(result.outcome).toBe(outcome)
    expect((await judged('R33', repaired(result, files))).outcome).toBe('PASS')
  })

  it.each(['cache: npm', "cache: ''", '"cache": "npm"'])(
    'R33: Node does not fall back to its own cache once the fix is in (%s)',
    async (input) => {
      const manifest = { 'package.json': '{"packageManager":"npm@11.5.1"}' }
      const files = { ...job(step('actions/setup-node@v6', input) + publish), ...manifest }
      const result = await judged('R33', files)
      expect(result.outcome).toBe('FAIL')
      const after = repaired(result, files)
      expect(after[path]).toContain('package-manager-cache: false')
      expect((await judged('R33', after)).outcome).toBe('PASS')
    },
  )

  it('R33: an expression that decides is a doubt', async () => {
    expect(
      (await judged('R33', job(step('actions/setup-go@v5', 'cache: ${{ inputs.cache }}') + publish))).outcome,
    ).toBe('WARN')
  })

  it('R33: a deployment is a doubt', async () => {
    const files = job(step('actions/setup-go@v5') + step('cloudflare/wrangler-action@v3'))
    expect((await judged('R33', files)).outcome).toBe('WARN')
  })

  it.each([
    ['name: dist', 'name: dist', 'FAIL'],
    ['name: dist', 'path: out', 'FAIL'],
    ['name: coverage', 'name: dist', 'WARN'],
    ['name: dist-linux', 'pattern: dist-*', 'WARN'],
  ])('R33: a job that builds what another publishes counts (%s, %s: %s)', async (upload, download, outcome) => {
    const build = step('actions/setup-go@v5') + step('actions/upload-artifact@v4', upload)
    const text = `on: push\njobs:\n  build:\n    runs-on: x\n    steps:\n${build}  a:\n    needs: [build]\n    runs-on: x\n    steps:\n${step('actions/download-artifact@v4', download)}${publish}`
    expect((await judged('R33', { [path]: text })).outcome).toBe(outcome)
  })

  it('R33: a cache in a composite action of the repository is found there, without a fix', async () => {
    const action = `name: x\nruns:\n  using: composite\n  steps:\n    - uses: actions/setup-go@v5\n`
    const result = await judged('R33', {
      ...job(step('./.github/actions/x') + publish),
      '.github/actions/x/action.yml': action,
    })
    expect(places(result)).toEqual(['.github/actions/x/action.yml:5:13 FAIL'])
    expect(result.evidence[0]?.fix).toBeUndefined()
  })

  it('R33: a condition in braces with a line end behind them is a text, and skips nothing', async () => {
    const at = (condition: string): Record<string, string> =>
      job(`      - if: ${condition}\n        uses: actions/cache@v4\n${publish}`)
    const skipping = "${{ github.event_name != 'release' }}"
    expect((await judged('R33', at(skipping))).outcome).toBe('PASS')
    expect((await judged('R33', at(`|\n          ${skipping}`))).outcome).toBe('FAIL')
  })
})
