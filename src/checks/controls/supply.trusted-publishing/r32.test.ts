import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = '.github/workflows/release.yml'
const job = (steps: string, permissions = ''): Record<string, string> => ({
  [path]: `on: push\njobs:\n  a:\n    runs-on: x\n${permissions}    steps:\n${steps}`,
})
const identity = '    permissions: { id-token: write }\n'
const npm = (env: string): string => `      - run: npm publish\n        env:\n          ${env}\n`
const secret = '${{ secrets.TOKEN }}'

describe('R32', () => {
  it.each([
    ['npm', '      - run: npm publish --provenance\n'],
    ['PyPI', '      - uses: pypa/gh-action-pypi-publish@release/v1\n'],
    ['uv', '      - run: uv publish\n'],
    [
      'changesets with an empty token',
      "      - uses: changesets/action@v1\n        with: { publish: pnpm release }\n        env: { NPM_TOKEN: '' }\n",
    ],
    [
      'crates.io with a token made in the job',
      '      - id: auth\n        uses: rust-lang/crates-io-auth-action@v1\n      - run: cargo publish\n        env:\n          CARGO_REGISTRY_TOKEN: ${{ steps.auth.outputs.token }}\n',
    ],
    [
      'NuGet',
      '      - run: dotnet nuget push x.nupkg -k ${{ steps.login.outputs.NUGET_API_KEY }} -s https://api.nuget.org/v3/index.json\n',
    ],
  ])('R32: holds with an identity and no token (%s)', async (_, steps) => {
    expect((await judged('R32', job(steps, identity))).outcome).toBe('PASS')
  })

  it.each([
    ['nothing at all', '      - run: npm test\n'],
    ['an image', '      - run: docker push ghcr.io/o/i\n        env: { TOKEN: "${{ secrets.T }}" }\n'],
    [
      'GitHub packages',
      `      - uses: actions/setup-node@v4\n        with: { registry-url: https://npm.pkg.github.com }\n${npm(`NODE_AUTH_TOKEN: ${secret}`)}`,
    ],
    [
      'a registry of one`s own',
      `      - run: npm publish --registry https://npm.example.com\n        env: { NODE_AUTH_TOKEN: "${secret}" }\n`,
    ],
    [
      'an index of one`s own',
      `      - uses: pypa/gh-action-pypi-publish@v1\n        with: { repository-url: https://pypi.example.com, password: "${secret}" }\n`,
    ],
    [
      'a gem server of one`s own',
      `      - run: gem push --host https://gems.example.com x.gem\n        env: { GEM_HOST_API_KEY: "${secret}" }\n`,
    ],
    ['a source of one`s own', `      - run: dotnet nuget push x.nupkg --source github -k ${secret}\n`],
    ['a dry run', `      - run: npm publish --dry-run\n        env: { NODE_AUTH_TOKEN: "${secret}" }\n`],
  ])('R32: does not apply to %s', async (_, steps) => {
    expect((await judged('R32', job(steps))).outcome).toBe('NOT_APPLICABLE')
  })

  it('R32: the registry of package.json counts', async () => {
    const files = {
      ...job(npm(`NODE_AUTH_TOKEN: ${secret}`)),
      'package.json': '{"publishConfig":{"registry":"https://npm.pkg.github.com"}}',
    }
    expect((await judged('R32', files)).outcome).toBe('NOT_APPLICABLE')
  })

  it('R32: a workflow that cannot be read is an error', async () => {
    expect((await judged('R32', { [path]: 'jobs: [' })).outcome).toBe('ERROR')
  })

  it.each([
    ['block style', npm(`NODE_AUTH_TOKEN: ${secret}`), 9, 28],
    ['flow style', `      - { run: npm publish, env: { NODE_AUTH_TOKEN: "${secret}" } }\n`, 7, 53],
    ['quoted', npm(`"NODE_AUTH_TOKEN": "${secret}"`), 9, 30],
    ['CRLF', npm(`NODE_AUTH_TOKEN: ${secret}`).replaceAll('\n', '\r\n'), 9, 28],
    [
      'anchored',
      `      - run: npm publish\n        env: &env\n          NODE_AUTH_TOKEN: ${secret}\n      - run: npm publish\n        env: *env\n`,
      9,
      28,
    ],
  ])('R32: a stored token fails even beside an identity (%s)', async (_, steps, line, column) => {
    const result = await judged('R32', job(steps, identity))
    // The line of the permissions stands before the steps.
    expect(places(result)).toEqual([`${path}:${line}:${column} FAIL`])
  })

  it.each([
    ['PyPI action', `      - uses: pypa/gh-action-pypi-publish@v1\n        with:\n          password: ${secret}\n`],
    ['twine', `      - run: python -m twine upload dist/*\n        env: { TWINE_PASSWORD: "${secret}" }\n`],
    ['uv', `      - run: uv publish --token ${secret}\n`],
    ['cargo', `      - run: cargo publish --token "$KEY"\n        env: { KEY: "${secret}" }\n`],
    ['cargo login', `      - run: cargo login ${secret}\n      - run: cargo publish\n`],
    [
      'npmrc',
      `      - run: echo "//npm.example/:_authToken=$T" > .npmrc\n        env: { T: "${secret}" }\n      - run: npm publish\n`,
    ],
    ['gem', `      - run: gem push x.gem\n        env: { GEM_HOST_API_KEY: "${secret}" }\n`],
    [
      'gem credentials',
      `      - uses: rubygems/configure-rubygems-credentials@v1\n        with: { api-token: "${secret}" }\n      - run: gem push x.gem\n`,
    ],
    ['release-gem', '      - uses: rubygems/release-gem@v1\n        with: { setup-trusted-publisher: false }\n'],
    [
      'NuGet',
      `      - run: dotnet nuget push x.nupkg --api-key ${secret} --source https://api.nuget.org/v3/index.json\n`,
    ],
    ['semantic-release', `      - run: npx semantic-release\n        env: { NPM_TOKEN: "${secret}" }\n`],
    [
      'changesets',
      `      - uses: changesets/action@v1\n        with: { publish: pnpm release }\n        env: { NPM_TOKEN: "${secret}" }\n`,
    ],
    ['npm action', `      - uses: JS-DevTools/npm-publish@v3\n        with: { token: "${secret}" }\n`],
    [
      'test index',
      `      - run: twine upload --repository testpypi dist/*\n        env: { TWINE_PASSWORD: "${secret}" }\n`,
    ],
  ])('R32: %s with a stored token fails once', async (_, steps) => {
    const result = await judged('R32', job(steps))
    expect(result.evidence.map(({ outcome }) => outcome)).toEqual(['FAIL'])
  })

  it('R32: a token of the whole job counts, one of another step does not', async () => {
    expect(
      (await judged('R32', job('      - run: npm publish\n', `    env: { NPM_TOKEN: "${secret}" }\n`))).outcome,
    ).toBe('FAIL')
    const install = `      - run: npm ci\n        env: { NODE_AUTH_TOKEN: "${secret}" }\n      - run: npm publish\n`
    expect((await judged('R32', job(install, identity))).outcome).toBe('PASS')
  })

  it('R32: a publication without identity and token is a doubt', async () => {
    expect((await judged('R32', job('      - run: npm publish\n'))).outcome).toBe('WARN')
  })

  it('R32: a registry that an expression names is a doubt', async () => {
    const steps = `      - uses: actions/setup-node@v4\n        with: { registry-url: "\${{ inputs.registry }}" }\n${npm(`NODE_AUTH_TOKEN: ${secret}`)}`
    expect((await judged('R32', job(steps))).outcome).toBe('WARN')
  })
})
