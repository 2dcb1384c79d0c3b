import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const run = (command: string, rest = ''): Record<string, string> => ({
  [path]: `on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - run: ${command}\n${rest}`,
})
const outcomes = async (files: Record<string, string>): Promise<readonly string[]> =>
  (await judged('R25', files)).evidence.map(({ outcome }) => outcome)

describe('R25', () => {
  it.each([
    ['uv run --locked pytest'],
    ['uv sync --frozen && uv run pytest'],
    ['uv lock --check && uv run pytest'],
    ['uvx ruff@0.6.1 check && uvx --from "black==24.8.0" black .'],
    ['uv tool install "tox==4.18.0" --with tox-uv==1.11.2'],
    ['uv tool run ruff@0.6.1 check src'],
    ['uv run --no-project --with "build==1.2.1" python -m build'],
    ['pipx run black==24.8.0 --check . && pipx install tox==4.18.0'],
    ['pip install black==24.8.0'],
    ['pip install -c constraints.txt black'],
    ['pip install --require-hashes -r requirements.txt'],
    ['pip install --no-deps .'],
    ['pip --version && python -m pip list'],
    ['poetry run pytest && poetry install --no-interaction'],
    ['pdm install && pipenv sync'],
    ['echo pip install black'],
  ])('R25: holds for %s', async (command) => {
    expect(
      await outcomes({ ...run(command), 'uv.lock': '', 'poetry.lock': '', 'pdm.lock': '', 'Pipfile.lock': '' }),
    ).toEqual([])
  })

  it.each([
    ['pip install black', 'FAIL'],
    ['python3 -m pip install --upgrade pip', 'FAIL'],
    ['uv pip install --system "ruff>=0.6"', 'FAIL'],
    ['sudo -H pip3 install "black~=24.0"', 'FAIL'],
    ['pip install $PACKAGE', 'WARN'],
    ['uvx ruff check', 'FAIL'],
    ['uvx ruff@latest check', 'FAIL'],
    ['uvx --from black black .', 'FAIL'],
    ['uv tool install tox', 'FAIL'],
    ['uv run --locked --with rich script.py', 'FAIL'],
    ['pipx run black --check', 'FAIL'],
    ['pipx install poetry', 'FAIL'],
    ['uv run pytest', 'WARN'],
    ['pipenv install --dev', 'WARN'],
    ['pdm install', 'FAIL'],
    ['poetry install', 'FAIL'],
  ])('R25: is broken by %s', async (command, outcome) => {
    expect(await outcomes({ ...run(command), 'uv.lock': '', 'Pipfile.lock': '' })).toEqual([outcome])
  })

  it('R25: uv without a lock file decides anew', async () => {
    expect(await outcomes(run('uv sync'))).toEqual(['FAIL'])
    expect(await outcomes({ ...run('uv sync', '        working-directory: api\n'), 'api/uv.lock': '' })).toEqual([
      'WARN',
    ])
    expect(await outcomes({ ...run('uv sync', '        env: { UV_LOCKED: "1" }\n'), 'uv.lock': '' })).toEqual([])
  })

  it('R25: the fix holds uv to its lock file', async () => {
    const files = { ...run('|\n          uv run -v pytest'), 'uv.lock': '' }
    const result = await judged('R25', files)
    const after = repaired(result, files, 'unsafe')
    expect(after[path]).toContain('uv run --locked -v pytest')
    expect((await judged('R25', after)).outcome).toBe('PASS')
  })

  const hooks = (rev: string): Record<string, string> => ({
    '.pre-commit-config.yaml': `repos:\n  - repo: https://github.com/psf/black\n    rev: ${rev}\n    hooks: [{ id: black }]\n  - repo: local\n    hooks: []\n`,
  })
  it('R25: hooks of pre-commit have a tag or a commit', async () => {
    expect((await judged('R25', hooks('24.8.0'))).outcome).toBe('PASS')
    expect((await judged('R25', hooks('v1'))).outcome).toBe('PASS')
    expect(places(await judged('R25', hooks('main')))).toEqual(['.pre-commit-config.yaml:3:10 FAIL'])
  })

  const bare = run('pip install black')
  it.each([
    ['block style', bare, `${path}:6:26 FAIL`],
    [
      'flow style',
      { [path]: 'on: push\njobs: { a: { runs-on: x, steps: [{ run: pip install black }] } }\n' },
      `${path}:2:53 FAIL`,
    ],
    ['quoted', run('"pip install black"'), `${path}:6:27 FAIL`],
    ['CRLF', { [path]: (bare[path] ?? '').replaceAll('\n', '\r\n') }, `${path}:6:26 FAIL`],
    ['anchored', run('&x pip install black', '      - run: *x\n'), `${path}:6:29 FAIL`],
  ])('R25: has the same finding in %s', async (_, files, place) => {
    expect(places(await judged('R25', files))).toEqual([place])
  })

  it('R25: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R25', { [path]: 'jobs: [x\n' }))).toEqual([`${path}:2:1 ERROR`])
  })

  it('R25: does not apply without Python tools', async () => {
    expect((await judged('R25', run('make'))).outcome).toBe('NOT_APPLICABLE')
  })
})
