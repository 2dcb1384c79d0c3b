import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/release.yml'
const other = '.github/workflows/ci.yml'
const steps = '    runs-on: ubuntu-latest\n    steps:\n      - run: npm publish\n'
const release = (concurrency: string, job = ''): Record<string, string> => ({
  [path]: `on:\n  push:\n    tags: ['v*']\n${concurrency}jobs:\n  publish:\n${job}${steps}`,
})
const group = (value: string, cancel = 'false'): string =>
  `concurrency:\n  group: ${value}\n  cancel-in-progress: ${cancel}\n`

describe('R02', () => {
  it.each([
    ['a map', group('release')],
    ['flow style', 'concurrency: { group: release, cancel-in-progress: false }\n'],
    ['a string', 'concurrency: release\n'],
    ['no cancel-in-progress', 'concurrency:\n  group: release\n'],
    ['quoted false', group('release', "'false'")],
    ['the workflow name', group('${{ github.workflow }}')],
    ['repository and variable', group('${{ github.repository }}-${{ vars.STAGE }}')],
    ['a longer queue', `${group('release')}  queue: max\n`],
    ['cancelled for pull requests only', group('release', "${{ github.event_name == 'pull_request' }}")],
  ])('R02: holds with one constant group (%s)', async (_, concurrency) => {
    expect((await judged('R02', release(concurrency))).outcome).toBe('PASS')
  })

  it('R02: a group of the publishing job holds', async () => {
    expect((await judged('R02', release('', '    concurrency: release\n'))).outcome).toBe('PASS')
  })

  it('R02: does not apply where nothing is published', async () => {
    const files = { [other]: 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: npm publish --dry-run\n' }
    expect((await judged('R02', files)).outcome).toBe('NOT_APPLICABLE')
    expect((await judged('R02', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R02: a workflow that cannot be read is an error', async () => {
    expect((await judged('R02', { [path]: 'jobs: [' })).outcome).toBe('ERROR')
  })

  it('R02: is broken without a group, and the fix adds one', async () => {
    const files = release('')
    const result = await judged('R02', files)
    expect(places(result)).toEqual([`${path}:5:3 FAIL`])
    expect(result.evidence[0]?.fix).toMatchObject({
      safety: 'unsafe',
      risk: expect.stringContaining('waits') as string,
    })
    const after = repaired(result, files, 'unsafe')
    expect(after[path]).toContain('concurrency:\n  group: ${{ github.workflow }}\n  cancel-in-progress: false\n\njobs:')
    expect((await judged('R02', after)).outcome).toBe('PASS')
  })

  it.each([
    ['CRLF', (text: string): string => text.replaceAll('\n', '\r\n')],
    ['flow style', (): string => '{ on: push, jobs: { a: { runs-on: x, steps: [{ run: npm publish }] } } }'],
  ])('R02: a group is added to a workflow in %s', async (_, written) => {
    const files = { [path]: written(release('')[path] ?? '') }
    const result = await judged('R02', files)
    expect(result.outcome).toBe('FAIL')
    expect((await judged('R02', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it.each([
    'release-${{ github.ref }}',
    'release-${{ github.ref_name }}',
    '${{ github.workflow }}-${{ github.sha }}',
    '${{ github.run_id }}',
    '${{ github.workflow }}-${{ github.head_ref || github.run_id }}',
    '${{ github.workflow }}-${{ github.event.pull_request.number || github.ref }}',
    "${{ format('release-{0}', github.ref) }}",
    'release-${{ inputs.version }}',
    'release-${{ github.workflow_ref }}',
    "release-${{ github['ref'] }}",
  ])('R02: a group that differs between runs is broken (%s)', async (value) => {
    const files = release(group(value))
    const result = await judged('R02', files)
    expect(places(result)).toEqual([`${path}:5:10 FAIL`])
    expect((await judged('R02', repaired(result, files, 'unsafe'))).outcome).toBe('PASS')
  })

  it.each([
    ['block', group('x-${{ github.ref }}')],
    ['flow style', 'concurrency: { group: "x-${{ github.ref }}" }\n'],
    ['quoted', group("'x-${{ github.ref }}'")],
    ['a string', 'concurrency: x-${{ github.ref }}\n'],
    ['anchored', 'env: { A: &g "x-${{ github.ref }}" }\nconcurrency: *g\n'],
    ['CRLF', group('x-${{ github.ref }}').replaceAll('\n', '\r\n')],
  ])('R02: the same fault however it is written (%s)', async (_, concurrency) => {
    const result = await judged('R02', release(concurrency))
    expect(result.evidence.map(({ outcome }) => outcome)).toEqual(['FAIL'])
  })

  it('R02: cancelling a running release is broken, and letting it finish is safe', async () => {
    const files = release(group('release', 'true'))
    const result = await judged('R02', files)
    expect(places(result)).toEqual([`${path}:6:23 FAIL`])
    expect((await judged('R02', repaired(result, files))).outcome).toBe('PASS')
  })

  it('R02: a group of the job does not save it where the workflow is cancelled', async () => {
    const result = await judged('R02', release(group('ci-${{ github.ref }}', 'true'), '    concurrency: release\n'))
    expect(places(result)).toEqual([`${path}:6:23 FAIL`])
  })

  it.each([
    ['cancel-in-progress', group('release', '${{ inputs.cancel }}')],
    ['the group', group("${{ github.event_name == 'push' && 'release' || github.sha }}")],
  ])('R02: an expression that decides is a doubt (%s)', async (_, concurrency) => {
    expect((await judged('R02', release(concurrency))).outcome).toBe('WARN')
  })

  it.each([
    'docker/build-push-action@v6\n        with:\n          push: true',
    "docker/build-push-action@v6\n        with:\n          push: ${{ github.event_name != 'pull_request' }}",
    'goreleaser/goreleaser-action@v6\n        with:\n          args: release --clean',
    'pypa/gh-action-pypi-publish@release/v1',
    'softprops/action-gh-release@v2',
  ])('R02: an action that publishes makes a release workflow (case %#)', async (uses) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: ${uses}\n`
    expect((await judged('R02', { [path]: text })).outcome).toBe('FAIL')
  })

  it.each([
    'docker/build-push-action@v6\n        with:\n          push: false',
    'docker/build-push-action@v6',
    'docker/build-push-action@v6\n        with:\n          push: true\n          tags: localhost:5000/a:b',
    'goreleaser/goreleaser-action@v6\n        with:\n          args: release --snapshot --clean',
    'actions/deploy-pages@v4',
    'release-drafter/release-drafter@v6',
  ])('R02: what publishes nothing makes none (case %#)', async (uses) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: ${uses}\n`
    expect((await judged('R02', { [other]: text })).outcome).toBe('NOT_APPLICABLE')
  })

  it.each([
    'gh release create v1',
    'cargo publish',
    'python -m twine upload dist/*',
    'uv publish',
    'docker buildx build --push -t ghcr.io/o/i .',
    'docker push ghcr.io/o/i',
    'pnpm -r publish',
    'yarn workspaces foreach npm publish',
    'bundle exec rake release',
    'dotnet nuget push x.nupkg',
    'helm push x.tgz oci://ghcr.io/o',
  ])('R02: a command that publishes makes a release workflow (%s)', async (script) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ${script}\n`
    expect((await judged('R02', { [path]: text })).outcome).toBe('FAIL')
  })

  it.each([
    'echo npm publish',
    'npm publish --registry http://localhost:4873',
    'docker push localhost:5000/a',
    'cargo publish --dry-run',
    './gradlew publishToMavenLocal',
  ])('R02: a command that publishes nothing makes none (%s)', async (script) => {
    const text = `on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ${script}\n`
    expect((await judged('R02', { [other]: text })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R02: a package script that publishes makes a release workflow', async () => {
    const text = 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: npm run release\n'
    const files = { [path]: text, 'package.json': '{"scripts":{"release":"changeset publish"}}' }
    expect((await judged('R02', files)).outcome).toBe('FAIL')
  })

  it('R02: a called workflow is judged with its callers', async () => {
    const called = `on: workflow_call\njobs:\n  publish:\n${steps}`
    const caller = (concurrency: string): Record<string, string> => ({
      '.github/workflows/called.yml': called,
      [path]: `on: push\n${concurrency}jobs:\n  go:\n    uses: ./.github/workflows/called.yml\n`,
    })
    expect((await judged('R02', caller('concurrency: release\n'))).outcome).toBe('PASS')
    const result = await judged('R02', caller(''))
    expect(places(result)).toEqual([`${path}:3:3 FAIL`])
    expect((await judged('R02', { '.github/workflows/called.yml': called })).outcome).toBe('WARN')
  })

  it.each(['', 'concurrency: x-${{ github.ref }}\n'])(
    'R02: a workflow that is called release is a doubt where nothing in it is known to publish (%s)',
    async (concurrency) => {
      const text = `on: push\n${concurrency}jobs:\n  a:\n    runs-on: x\n    steps:\n      - run: ./ship\n`
      expect((await judged('R02', { [path]: text })).outcome).toBe('WARN')
      expect((await judged('R02', { [other]: text })).outcome).toBe('NOT_APPLICABLE')
    },
  )

  it('R02: a release workflow of another repository is a doubt', async () => {
    const text = 'on: push\njobs:\n  go:\n    uses: o/r/.github/workflows/release.yml@v1\n'
    expect((await judged('R02', { [path]: text })).outcome).toBe('WARN')
  })
})
