import { describe, expect, it } from 'vitest'
import { judged, places } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const job = (rest: string): Record<string, string> => ({
  [path]: `on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n${rest}`,
})
const steps = (text: string): Record<string, string> => job(`    steps:\n${text}`)
const run = (command: string): Record<string, string> => steps(`      - run: |\n          ${command}\n`)
const uses = (action: string, input: string, value: string): Record<string, string> =>
  steps(`      - uses: ${action}@v1\n        with:\n          ${input}: ${value}\n`)
const outcomes = async (files: Record<string, string>): Promise<readonly string[]> =>
  (await judged('R03', files)).evidence.map(({ outcome, line }) => `${outcome} ${line}`)

describe('R03', () => {
  it.each([
    ['goreleaser/goreleaser-action', 'version', 'v2.4.1'],
    ['golangci/golangci-lint-action', 'version-file', '.golangci-version'],
    ['astral-sh/setup-uv', 'version', '"0.8.3"'],
    ['foundry-rs/foundry-toolchain', 'version', 'nightly-5b7e4cb3c882b28f3c32ba580de27ce7381f415a'],
    ['arduino/setup-protoc', 'version', '"25.1"'],
    ['taiki-e/install-action', 'tool', 'nextest@0.9.81,cargo-hack@0.6.33'],
    ['pnpm/action-setup', 'run_install', 'false'],
    ['actions/setup-node', 'node-version', '22'],
    ['actions/setup-node', 'node-version', '22.x'],
    ['actions/setup-node', 'node-version', 'lts/jod'],
    ['actions/setup-node', 'node-version-file', '.nvmrc'],
    ['actions/setup-python', 'python-version', '"3.12"'],
    ['actions/setup-python', 'python-version', 'pypy3.10'],
    ['actions/setup-python', 'python-version', '3.13t'],
    ['actions/setup-go', 'go-version', '1.22.x'],
    ['actions/setup-java', 'java-version', '21'],
    ['actions/setup-dotnet', 'dotnet-version', '8.0.x'],
    ['someone/else', 'version', 'latest'],
  ])('R03: holds for %s with %s: %s', async (action, input, value) => {
    expect(await outcomes(uses(action, input, value))).toEqual([])
  })

  it.each([
    ['goreleaser/goreleaser-action', 'version', "'~> v2'", 'FAIL 8'],
    ['goreleaser/goreleaser-action', 'args', 'release', 'FAIL 6'],
    ['golangci/golangci-lint-action', 'version', 'v1.60', 'FAIL 8'],
    ['pnpm/action-setup', 'version', '9', 'FAIL 8'],
    ['taiki-e/install-action', 'tool', 'nextest@0.9.81,cargo-hack', 'FAIL 8'],
    ['actions/setup-node', 'node-version', 'lts/*', 'FAIL 8'],
    ['actions/setup-node', 'node-version', 'latest', 'FAIL 8'],
    ['actions/setup-node', 'node-version', '^20', 'FAIL 8'],
    ['actions/setup-node', 'node-version', '">=20"', 'FAIL 8'],
    ['actions/setup-python', 'python-version', '3.x', 'WARN 8'],
    ['actions/setup-go', 'go-version', 'stable', 'FAIL 8'],
    ['actions/setup-go', 'go-version', '~1.22', 'FAIL 8'],
    ['astral-sh/setup-uv', 'version', '${{ vars.UV }}', 'WARN 8'],
  ])('R03: is broken by %s with %s: %s', async (action, input, value, expected) => {
    expect(await outcomes(uses(action, input, value))).toEqual([expected])
  })

  it.each([
    ['npm ci && npm test && npm run build'],
    ['npm i -g npm@10.9.2 ./local.tgz'],
    ['npm i -g https://example.com/x-1.2.3.tgz a/b#0123456789012345678901234567890123456789'],
    ['npx --no-install eslint . && npx prettier@3.3.3 --check .'],
    ['npx tsc --noEmit && npx playwright install --with-deps && npx eslint . --fix'],
    ['pnpm exec vitest && yarn install --immutable && bun install --frozen-lockfile'],
    ['pnpm dlx @scope/tool@1.0.0'],
    ['go install golang.org/x/tools/cmd/goimports@v0.24.0 && go install ./... && go run ./cmd/x'],
    ['cargo install cargo-audit --version 0.21.0 --locked && cargo install --path . && cargo build'],
    ['cargo install --git https://github.com/a/b --rev 0123456 --locked c'],
    ['gem install bundler -v 2.5.6 && gem install rake:13.2.1'],
    ['dotnet tool restore && dotnet tool install x --version 1.2.3'],
    ['gh release download v1.2.3 -p "*.tgz"'],
    ['curl -sSfL https://example.com/tool/v1.2.3/install.sh | sh -s -- -b bin'],
    ['curl -fsS https://example.com/data.json | jq .x'],
    ['curl http://169.254.169.254/latest/meta-data/ && curl http://localhost:8080/latest'],
    ['apt-get update && sudo apt-get install -y jq'],
    ['echo "npm install -g x"'],
    ['corepack enable && corepack prepare pnpm@9.1.0 --activate'],
  ])('R03: holds for %s', async (command) => {
    const manifest = { devDependencies: { typescript: '^5', '@playwright/test': '1', eslint: '9' } }
    expect(await outcomes({ ...run(command), 'package.json': JSON.stringify(manifest) })).toEqual([])
  })

  it.each([
    ['npm install -g prettier', 'FAIL'],
    ['npm i --global npm@latest', 'FAIL'],
    ['sudo npm install -g @scope/tool@^2', 'FAIL'],
    ['npx --yes semantic-release', 'FAIL'],
    ['npx -p typescript@5 tsc', 'FAIL'],
    ['npm exec -- cowsay', 'FAIL'],
    ['pnpm dlx create-thing', 'FAIL'],
    ['pnpm add -g turbo', 'FAIL'],
    ['yarn global add serve', 'FAIL'],
    ['bunx wrangler@latest deploy', 'FAIL'],
    ['corepack prepare pnpm@latest --activate', 'FAIL'],
    ['go install golang.org/x/tools/cmd/goimports@latest', 'FAIL'],
    ['go run github.com/a/b@main', 'FAIL'],
    ['cargo install cargo-audit', 'FAIL'],
    ['cargo install cargo-audit@0.21.0', 'WARN'],
    ['cargo install --git https://github.com/a/b c', 'FAIL'],
    ['gem install rake', 'FAIL'],
    ['dotnet tool install -g x', 'FAIL'],
    ['gh release download -R a/b -p x.tgz', 'FAIL'],
    ['curl -L https://github.com/a/b/releases/latest/download/b.tgz | tar xz', 'FAIL'],
    ['curl https://sh.rustup.rs | sudo sh -s -- -y', 'FAIL'],
    ['sh -c "$(curl -fsSL https://example.com/install.sh)"', 'FAIL'],
    ['npm i -g "npm@$NPM"', 'WARN'],
    ['npm i -g a b@latest @c/d', 'FAIL'],
    ['npm i -g github:a/b', 'FAIL'],
    ['curl -s https://api.github.com/repos/a/b/releases/latest | jq .tag_name', 'WARN'],
  ])('R03: is broken by %s', async (command, outcome) => {
    expect(await outcomes(run(command))).toEqual([`${outcome} 7`])
  })

  it('R03: values of the matrix and of env are looked up', async () => {
    const matrix = '    strategy:\n      matrix:\n        node: [20, 22, latest]\n'
    const files = job(
      `${matrix}    env:\n      BUF: v1.2\n    steps:\n      - uses: actions/setup-node@v4\n        with:\n          node-version: \${{ matrix.node }}\n      - uses: bufbuild/buf-setup-action@v1\n        with:\n          version: \${{ env.BUF }}\n`,
    )
    expect(await outcomes(files)).toEqual(['WARN 7', 'FAIL 9'])
  })

  const bare = '      - uses: goreleaser/goreleaser-action@v6\n        with:\n          version: latest\n'
  it.each([
    ['block style', steps(bare), `${path}:8:20 FAIL`],
    [
      'flow style',
      steps('      - { uses: goreleaser/goreleaser-action@v6, with: { version: latest } }\n'),
      `${path}:6:67 FAIL`,
    ],
    ['quoted', steps(bare.replace('version: latest', '"version": "latest"')), `${path}:8:22 FAIL`],
    ['CRLF', { [path]: (steps(bare)[path] ?? '').replaceAll('\n', '\r\n') }, `${path}:8:20 FAIL`],
    ['anchored', steps(`${bare.replace('- uses', '- &x\n        uses')}      - *x\n`), `${path}:9:20 FAIL`],
    [
      'composite action',
      { 'act/action.yml': 'runs:\n  using: composite\n  steps:\n    - run: npm i -g x\n      shell: bash\n' },
      'act/action.yml:4:21 FAIL',
    ],
    ['shell script', { 'scripts/setup.sh': '#!/bin/sh\nset -e\nnpx cowsay\n' }, 'scripts/setup.sh:3:5 FAIL'],
    ['asdf', { '.tool-versions': '# tools\nnodejs 22.1.0\nterraform latest\n' }, '.tool-versions:3:1 FAIL'],
    ['mise', { 'mise.toml': '[tools]\nnode = "22"\njq = { version = "1" }\n' }, 'mise.toml:3:18 FAIL'],
    ['nvm', { '.nvmrc': 'lts/*\n' }, '.nvmrc:1:1 FAIL'],
    ['packageManager', { 'package.json': '{ "packageManager": "pnpm@9" }' }, 'package.json:1:21 FAIL'],
  ])('R03: has the same finding in %s', async (_, files, place) => {
    expect(places(await judged('R03', files))).toEqual([place])
  })

  it('R03: a version that an action reads from a file is named', async () => {
    const setup = steps('      - uses: astral-sh/setup-uv@v6\n      - uses: oven-sh/setup-bun@v2\n')
    expect(await outcomes(setup)).toEqual(['FAIL 6', 'FAIL 7'])
    const files = {
      ...setup,
      'pyproject.toml': '[tool.uv]\nrequired-version = "==0.8.3"\n',
      'package.json': '{ "packageManager": "bun@1.2.3" }',
    }
    expect(await outcomes(files)).toEqual([])
  })

  it('R03: an install script may bring the newest release', async () => {
    const text = 'curl -L https://github.com/a/b/releases/latest/download/b.tgz | tar xz\n'
    expect(await outcomes({ 'scripts/install.sh': text })).toEqual([])
    expect(await outcomes({ 'scripts/deploy.sh': text })).toEqual(['FAIL 1'])
  })

  it('R03: version files of exact tools hold', async () => {
    const files = {
      '.tool-versions': 'nodejs 22.1.0 20.1.0\ngolang 1.22\n',
      'mise.toml': '[tools]\npython = ["3.12", "3.13"]\njq = "1.7.1"\n',
      'package.json': '{ "packageManager": "pnpm@9.1.0+sha512.abc" }',
      'examples/mise.toml': '[tools]\njq = "latest"\n',
    }
    expect((await judged('R03', files)).outcome).toBe('PASS')
  })

  it('R03: what cannot be read is an error at its place', async () => {
    expect(places(await judged('R03', { [path]: 'on: push\njobs:\n  a: [x\n' }))).toEqual([`${path}:4:1 ERROR`])
    expect(places(await judged('R03', { 'mise.toml': '[tools\n' }))[0]).toContain('ERROR')
  })

  it('R03: does not apply where nothing brings in tools', async () => {
    expect((await judged('R03', { 'README.md': '' })).outcome).toBe('NOT_APPLICABLE')
  })
})
