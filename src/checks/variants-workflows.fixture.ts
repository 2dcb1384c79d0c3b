import {
  called,
  ci,
  compose,
  deployment,
  digest,
  fromFork,
  head,
  job,
  mint,
  none,
  publish,
  run,
  sha,
  text,
  torn,
  uses,
  using,
  type Cases,
} from './variants.fixture.ts'

/** The checks that look at workflows, by their ids. */
export const workflowCases: Readonly<Record<string, Cases>> = {
  R01: {
    holds: uses('actions/checkout@v4', 'persist-credentials: false'),
    broken: [uses('actions/checkout@v4'), uses('actions/checkout@v4', 'persist-credentials: true', 'fetch-depth: 0')],
    doubtful: [{ 'action.yml': 'name: x\nruns:\n  using: composite\n  steps:\n    - uses: actions/checkout@v4\n' }],
    unclear: torn,
    absent: none,
  },
  R02: {
    holds: job(publish, '', 'on: push\nconcurrency:\n  group: release\n  cancel-in-progress: false\n'),
    broken: [
      {
        [ci]: 'on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    concurrency:\n      group: a-${{ github.ref }}\n      cancel-in-progress: false\n    steps:\n      - run: npm publish\n',
      },
      job(publish),
      job(publish, '', 'on: push\nconcurrency:\n  group: release-${{ github.ref }}\n  cancel-in-progress: false\n'),
      job(publish, '', 'on: push\nconcurrency:\n  group: release\n  cancel-in-progress: true\n'),
    ],
    unclear: torn,
    absent: none,
  },
  R03: {
    holds: uses('goreleaser/goreleaser-action@v6', 'version: v2.4.1'),
    broken: [
      run('go install example.test/tool@latest'),
      run('|\n          make\n          npm install -g vercel'),
      text('.tool-versions', 'nodejs latest'),
      uses('goreleaser/goreleaser-action@v6', "version: '~> v2'"),
      uses('actions/setup-node@v4', 'node-version: latest'),
      text('mise.toml', '[tools]', 'node = "latest"'),
    ],
    unclear: torn,
    absent: none,
  },
  R04: {
    holds: mint('repositories: site', 'permission-contents: write'),
    broken: [
      job(using('actions/create-github-app-token@v2', 'app-id: 1', 'permission-contents: write')),
      {
        [ci]: 'on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/create-github-app-token@v2\n        id: t\n        with:\n          app-id: 1\n          repositories: site\n          permission-contents: write\n      - uses: actions/checkout@v4\n        with:\n          repository: o/site\n          token: ${{ steps.t.outputs.token }}\n      - uses: actions/checkout@v4\n        with:\n          repository: o/docs\n          token: ${{ steps.t.outputs.token }}\n',
      },
      mint('repositories: site,docs', 'permission-contents: write'),
      mint('owner: acme', 'permission-contents: write'),
      mint('repositories: site'),
    ],
    unclear: torn,
    absent: none,
  },
  R25: {
    holds: run('pip install black==24.8.0'),
    broken: [
      run('uv run pytest'),
      run('pip install black'),
      run('uvx ruff check'),
      run('|\n          make\n          pipx run black'),
    ],
    doubtful: [
      { ...run('|\n          make\n          uv run pytest'), 'uv.lock': '' },
      { ...run('uv run pytest'), 'uv.lock': '' },
    ],
    withheld: /flow|JSON|double quotes/,
    unclear: torn,
    absent: none,
  },
  R26: {
    holds: uses(`actions/checkout@${sha}`),
    broken: [
      { 'action.yml': 'runs:\n  using: composite\n  steps:\n    - uses: actions/cache@v4\n' },
      uses('acme/x@main'),
      uses('acme/x@08c6903'),
      uses('actions/checkout@v5'),
      called(''),
    ],
    unclear: torn,
    absent: none,
  },
  R27: {
    holds: job('', '    permissions:\n      contents: read\n'),
    broken: [
      {
        [ci]: 'on: push\npermissions:\n  contents: write\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: make\n  b:\n    runs-on: x\n    steps:\n      - run: make\n',
      },
      {
        [ci]: 'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    permissions: {}\n    steps:\n      - run: make\n  b:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n',
      },
      job(''),
      job('', '', 'on: push\npermissions: write-all\n'),
      job('', '    permissions: write-all\n'),
    ],
    unclear: torn,
    absent: none,
  },
  R28: {
    holds: job('', `    container: node@${digest}\n`),
    broken: [
      deployment(''),
      job(
        '',
        '    strategy:\n      matrix:\n        image:\n          - node:22\n          - node:24\n    container: ${{ matrix.image }}\n',
      ),
      { 'action.yml': 'runs:\n  using: docker\n  image: docker://alpine:3\n' },
      job('', '    container:\n      image: node:22\n'),
      job('', '    container: node:22\n'),
      job('', '    services:\n      db:\n        image: postgres:17\n'),
      uses('docker://alpine:3.20'),
      text('Dockerfile', 'FROM node:22'),
      compose(''),
      text('run.sh', '#!/bin/sh', 'set -eu', 'docker run --rm node:22 npm test'),
      text('Makefile', 'test:', '\tdocker run --rm node:22 npm test'),
    ],
    unclear: torn,
    absent: none,
  },
  R29: {
    holds: called('    secrets:\n      TOKEN: ${{ secrets.TOKEN }}\n'),
    broken: [
      {
        [ci]: 'on: push\njobs:\n  call:\n    uses: ./.github/workflows/called.yml\n    secrets: inherit\n',
        '.github/workflows/called.yml':
          'on:\n  workflow_call:\n    secrets:\n      A:\n        required: true\njobs:\n  a:\n    permissions: {}\n    runs-on: ubuntu-latest\n    steps:\n      - run: x\n        env:\n          B: ${{ secrets.A }}\n',
      },
      job('      - run: x\n        env:\n          ALL: ${{ toJSON(secrets) }}\n'),
      run('echo ${{ secrets[format(1, matrix.env)] }}'),
      called('    secrets: inherit\n'),
      run('echo "${{ toJSON(secrets) }}"'),
    ],
    withheld: /flow|JSON|tagged/,
    unclear: torn,
    absent: none,
  },
  R30: {
    holds: job('      - run: echo "$TITLE"\n        env:\n          TITLE: ${{ github.event.issue.title }}\n'),
    broken: [
      {
        'action.yml':
          'inputs:\n  t:\n    description: x\nruns:\n  using: composite\n  steps:\n    - run: echo "${{ github.event.issue.title }}"\n      shell: bash\n',
      },
      job(
        '      - run: echo "${{ github.head_ref }} ${{ github.event.pull_request.title }}"\n        env:\n          A: 1\n',
        '',
        'on: pull_request\n',
      ),
      job('      - run: echo ${{ github.head_ref }}\n', '', 'on: pull_request\n'),
      job(
        '      - run: echo "$A" ${{ env.A }}\n        env:\n          A: ${{ github.head_ref }}\n',
        '',
        'on: pull_request\n',
      ),
      job(
        '      - id: a\n        run: echo "t=${{ github.head_ref }}" >> "$GITHUB_OUTPUT"\n      - run: echo ${{ steps.a.outputs.t }}\n',
        '',
        'on: pull_request\n',
      ),
      job('      - run: echo "${{ github.event.issue.title }}"\n', '', 'on: issues\n'),
      job('      - run: |\n          make\n          echo "${{ github.event.issue.title }}"\n', '', 'on: issues\n'),
      job(
        using('actions/github-script@v7', 'script: return "${{ github.head_ref }}"'),
        '',
        'on: pull_request_target\n',
      ),
    ],
    withheld: /flow|JSON|quotes|lines broken/,
    unclear: torn,
    absent: none,
  },
  R31: {
    holds: fromFork('main'),
    broken: [
      job(
        '      - run: gh pr checkout ${{ github.event.number }}\n      - run: npm ci\n',
        '',
        'on: pull_request_target\n',
      ),
      job(
        '      - run: |\n          git fetch origin pull/${{ github.event.number }}/head\n          git checkout FETCH_HEAD\n          npm ci\n',
        '',
        'on: pull_request_target\n',
      ),
      job(
        using('actions/checkout@v4.2.2', 'ref: refs/pull/${{ github.event.issue.number }}/head') +
          '      - run: npm test\n',
        '',
        'on: issue_comment\n',
      ),
      job(
        using(
          'actions/checkout@v4.2.2',
          'repository: ${{ github.event.workflow_run.head_repository.full_name }}',
          'ref: ${{ github.event.workflow_run.head_branch }}',
        ) + '      - run: npm test\n',
        '',
        'on:\n  workflow_run:\n    workflows:\n      - CI\n',
      ),
      fromFork(head),
    ],
    unclear: torn,
    absent: none,
  },
  R32: {
    holds: job(publish, '    permissions:\n      id-token: write\n'),
    broken: [
      run('twine upload dist/*', '        env:\n          TWINE_PASSWORD: ${{ secrets.T }}\n'),
      run('|\n          make\n          cargo publish --token ${{ secrets.T }}'),
      job('      - run: npm publish\n', '    env:\n      NODE_AUTH_TOKEN: ${{ secrets.NPM_TOKEN }}\n'),
      run('npm publish', '        env:\n          NODE_AUTH_TOKEN: ${{ secrets.NPM_TOKEN }}\n'),
      uses('pypa/gh-action-pypi-publish@v1', 'password: ${{ secrets.PYPI_TOKEN }}'),
    ],
    unclear: torn,
    absent: none,
  },
  R33: {
    holds: job(using('actions/setup-node@v4', 'node-version: 24') + publish),
    broken: [
      job(using('docker/build-push-action@v6', 'push: true', 'cache-from: type=gha')),
      job(using('astral-sh/setup-uv@v5', 'enable-cache: true') + publish),
      {
        [ci]: `on:\n  release:\n    types:\n      - published\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n${using('actions/setup-python@v5', 'cache: pip')}      - run: twine upload dist/*\n`,
      },
      job(using('actions/setup-node@v4', 'cache: npm') + publish),
      job(using('actions/cache@v4', 'path: x', 'key: y') + publish),
      job(using('actions/setup-go@v5') + publish),
    ],
    unclear: torn,
    absent: none,
  },
}
