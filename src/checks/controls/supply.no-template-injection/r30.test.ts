import { describe, expect, it } from 'vitest'
import { judged, places, repaired } from '../../checks.fixture.ts'

const path = '.github/workflows/ci.yml'
const top = 'on: issues\njobs:\n  test:\n    runs-on: ubuntu-latest\n'
const ci = (steps: string, job = '', head = top): Record<string, string> => ({
  [path]: `${head}${job}    steps:\n${steps}`,
})
const found = async (files: Record<string, string>): Promise<readonly string[]> =>
  (await judged('R30', files)).evidence.map(({ outcome, confidence }) => `${outcome} ${confidence}`)
const running = (text: string, job = '', head = top): Record<string, string> =>
  ci(`      - run: |\n          ${text}\n`, job, head)

describe('R30', () => {
  it('R30: does not apply without a workflow', async () => {
    expect((await judged('R30', { 'README.md': '# nothing' })).outcome).toBe('NOT_APPLICABLE')
  })

  it('R30: a workflow that cannot be read is an error at its place', async () => {
    expect(places(await judged('R30', { [path]: 'on: push\njobs:\n  test: [unclosed\n' }))).toEqual([
      `${path}:4:1 ERROR`,
    ])
  })

  it.each([
    ['block style', '      - run: |\n          x\n          echo "${{ github.event.issue.title }}"\n', '8:17'],
    ['one line', '      - run: echo "${{ github.event.issue.title }}"\n', '6:20'],
    ['flow style', "      - { run: 'echo ${{ github.event.issue.title }}' }\n", '6:22'],
    ['quoted', '      - "run": "echo ${{ github.event.issue.title }}"\n', '6:22'],
    ['anchored', '      - &step\n        run: echo ${{ github.event.issue.title }}\n      - *step\n', '7:19'],
    ['CRLF', '      - run: |\r\n          x\r\n          echo "${{ github.event.issue.title }}"\r\n', '8:17'],
  ])('R30: is broken by a title in a script (%s)', async (_, steps, place) => {
    const result = await judged('R30', ci(steps))
    expect(places(result)).toEqual([`${path}:${place} FAIL`])
    expect(result.evidence[0]?.subject).toBe('github.event.issue.title')
  })

  it.each([
    'github.event.issue.body',
    'github.event.comment.body',
    'github.event.review.body',
    'github.event.discussion.title',
    'github.event.pull_request.title',
    'github.event.pull_request.head.ref',
    'github.event.pull_request.head.label',
    'github.event.pull_request.head.repo.default_branch',
    'github.event.pages[0].page_name',
    'github.event.commits[0].author.email',
    "github.event['head_commit'].message",
    'github.event.workflow_run.head_branch',
    'github.event.workflow_run.head_commit.message',
    'GITHUB.Head_Ref',
    "format('{0}', github.head_ref)",
    'github.head_ref || github.ref_name',
    "join(github.event.commits.*.message, ' ')",
    'toJSON(github.event)',
    'toJSON(github.event.pull_request)',
    'fromJSON(toJSON(github)).event.issue.title',
  ])('R30: is broken by %s', async (expression) => {
    expect(await found(running(`echo \${{ ${expression} }}`))).toEqual(['FAIL high'])
  })

  it.each([
    'github.sha',
    'github.actor',
    'github.repository',
    'github.run_id',
    'github.event.number',
    'github.event.pull_request.number',
    'github.event.pull_request.commits',
    'github.event.pull_request.head.sha',
    'github.event.pull_request.base.sha',
    'github.event.pull_request.head.repo.full_name',
    'github.event.pull_request.user.login',
    'github.event.repository.name',
    'github.event.repository.default_branch',
    'github.event.workflow_run.id',
    'steps.x.outcome',
    'steps.x.conclusion',
    'secrets.TOKEN',
    'vars.REGION',
    'runner.temp',
    "hashFiles('**/lock')",
    "contains(github.event.issue.title, 'x')",
    "github.head_ref == 'x'",
    "github.head_ref && '--flag' || ''",
    "inputs.fast && '--fast' || ''",
    'github.ref_name',
    "'${{'",
  ])('R30: holds with %s', async (expression) => {
    expect(await found(running(`echo \${{ ${expression} }}`))).toEqual([])
  })

  it('R30: holds where the text is in a variable, and in what is no code', async () => {
    const steps =
      '      - name: ${{ github.event.issue.title }}\n        if: github.event.issue.title\n        env:\n          TITLE: ${{ github.event.issue.title }}\n        run: echo "$TITLE"\n      - uses: docker/build-push-action@v6\n        with:\n          context: ${{ github.head_ref }}\n'
    expect(await found(ci(steps))).toEqual([])
  })

  it('R30: an expression that GitHub refuses is an error', async () => {
    expect(await found(running('echo ${{ github.event. }}'))).toEqual(['ERROR high'])
  })

  it.each([
    ['actions/github-script@v7', 'script'],
    ['Actions/GitHub-Script@v7', 'Script'],
    ['azure/cli@v2', 'inlineScript'],
    ['appleboy/ssh-action@v1', 'script'],
    ['nick-fields/retry@v3', 'command'],
  ])('R30: is broken in code that %s is given', async (uses, input) => {
    const steps = `      - uses: ${uses}\n        with:\n          ${input}: x("\${{ github.head_ref }}")\n`
    const result = await judged('R30', ci(steps))
    expect(result.evidence.map(({ outcome, fix }) => [outcome, fix])).toEqual([['FAIL', undefined]])
  })

  describe('inputs', () => {
    const dispatched = (type: string, event = 'workflow_dispatch'): string =>
      `on:\n  ${event}:\n    inputs:\n      Name: { ${type} }\njobs:\n  test:\n    runs-on: ubuntu-latest\n`
    it.each([
      ['type: string', 'workflow_dispatch', ['FAIL low']],
      ['description: x', 'workflow_dispatch', ['FAIL low']],
      ['type: boolean', 'workflow_dispatch', []],
      ['type: number', 'workflow_dispatch', []],
      ['type: choice, options: [a, b]', 'workflow_dispatch', []],
      ['type: environment', 'workflow_dispatch', []],
      ['type: string', 'workflow_call', ['FAIL medium']],
      ['type: boolean', 'workflow_call', []],
    ])('R30: of %s by %s', async (type, event, expected) => {
      expect(await found(running('echo ${{ inputs.name }}', '', dispatched(type, event)))).toEqual(expected)
      if (event === 'workflow_dispatch')
        expect(await found(running('echo ${{ github.event.inputs.name }}', '', dispatched(type)))).toEqual(expected)
    })

    it('R30: of a composite action are text of whoever calls it', async () => {
      const action =
        'inputs: { name: {} }\nruns:\n  using: composite\n  steps:\n    - run: echo ${{ inputs.name }}\n      shell: bash\n'
      expect(places(await judged('R30', { 'act/action.yml': action }))).toEqual(['act/action.yml:5:17 FAIL'])
    })
  })

  describe('what is passed on', () => {
    it.each([
      [
        'env of the workflow',
        running('echo ${{ env.T }}', '', `env: { T: "\${{ github.head_ref }}" }\n${top}`),
        ['FAIL high'],
      ],
      ['env of the job', running('echo ${{ env.T }}', '    env: { T: "a${{ github.head_ref }}" }\n'), ['FAIL high']],
      [
        'env that is constant',
        running('echo ${{ env.T }}', '    env: { T: constant, U: "${{ github.head_ref }}" }\n'),
        [],
      ],
      ['env of itself', running('echo ${{ env.T }}', '    env: { T: "${{ env.T }}" }\n'), []],
      ['a matrix of literals', running('echo ${{ matrix.os }}', '    strategy: { matrix: { os: [a, b] } }\n'), []],
      [
        'a matrix of a title',
        running('echo ${{ matrix.t }}', '    strategy: { matrix: { t: ["${{ github.event.issue.title }}"] } }\n'),
        ['FAIL high'],
      ],
      [
        'names of changed files',
        ci(
          '      - { id: c, uses: tj-actions/changed-files@v46 }\n      - run: echo ${{ steps.c.outputs.all_changed_files }} ${{ steps.c.outputs.any_changed }}\n',
        ),
        ['FAIL medium'],
      ],
      [
        'the output of a script that was given it',
        ci(
          '      - id: c\n        env: { T: "${{ github.event.issue.title }}" }\n        run: echo "t=$T" >> "$GITHUB_OUTPUT"\n      - run: echo ${{ steps.c.outputs.t }}\n',
        ),
        ['WARN medium'],
      ],
      [
        'an output of words of its own',
        ci(
          '      - id: c\n        env: { T: "${{ github.event.issue.title }}" }\n        run: test "$T" = x && echo "t=yes" >> "$GITHUB_OUTPUT"\n      - run: echo ${{ steps.c.outputs.t }}\n',
        ),
        [],
      ],
      [
        'the output of another job',
        {
          [path]:
            'on: issues\njobs:\n  a:\n    runs-on: x\n    outputs: { t: "${{ github.event.issue.title }}" }\n    steps: []\n  b:\n    needs: a\n    runs-on: x\n    steps:\n      - run: echo ${{ needs.a.outputs.t }}\n',
        },
        ['FAIL high'],
      ],
      [
        'the name of a tag',
        running('echo ${{ github.ref_name }}', '', 'on: { push: { tags: ["v*"] } }\njobs:\n  test:\n    runs-on: x\n'),
        ['WARN low'],
      ],
      [
        'the name of the one branch',
        running(
          'echo ${{ github.ref_name }}',
          '',
          'on: { push: { branches: [main] } }\njobs:\n  test:\n    runs-on: x\n',
        ),
        [],
      ],
    ])('R30: by %s', async (_, files, expected) => {
      expect(await found(files)).toEqual(expected)
    })
  })

  describe('the fix', () => {
    const step = (text: string, before = '', lineEnd = '\n'): Record<string, string> => {
      const files = ci(`      - name: x\n${before}        run: |\n          ${text}\n`)
      return { [path]: (files[path] ?? '').replaceAll('\n', lineEnd) }
    }
    const title = '${{ github.event.issue.title }}'

    it.each([
      ['in double quotes', `echo "a ${title} b"`, 'echo "a ${ISSUE_TITLE} b"', 'safe'],
      ['in an assignment', `T=${title}`, 'T="${ISSUE_TITLE}"', 'safe'],
      ['alone in single quotes', `echo '${title}'`, 'echo "${ISSUE_TITLE}"', 'safe'],
      ['in a test', `if [[ "${title}" == x ]]; then y; fi`, 'if [[ "${ISSUE_TITLE}" == x ]]; then y; fi', 'safe'],
      ['twice', `a "${title}" "${title}"`, 'a "${ISSUE_TITLE}" "${ISSUE_TITLE}"', 'safe'],
      ['as an argument of a program', `python a.py '${title}'`, 'python a.py "${ISSUE_TITLE}"', 'safe'],
      ['as a bare word', `echo ${title}`, 'echo "${ISSUE_TITLE}"', 'unsafe'],
      ['where the name is taken', `ISSUE_TITLE=1 a "${title}"`, 'ISSUE_TITLE=1 a "${ISSUE_TITLE_TEXT}"', 'safe'],
    ])('R30: moves the text into the environment, %s', async (_, text, mendedText, safety) => {
      for (const lineEnd of ['\n', '\r\n']) {
        const files = step(text, '', lineEnd)
        const result = await judged('R30', files)
        expect(result.evidence[0]?.fix?.safety).toBe(safety)
        const mended = repaired(result, files, 'unsafe')
        const name = mendedText.includes('_TEXT') ? 'ISSUE_TITLE_TEXT' : 'ISSUE_TITLE'
        const expected = step(mendedText, `        env:\n          ${name}: ${title}\n`, lineEnd)
        expect(mended[path]).toBe(expected[path])
        expect((await judged('R30', mended)).outcome).toBe('PASS')
      }
    })

    it('R30: adds to an environment that is there, and uses what is in it already', async () => {
      const files = step(
        `a "${title}" "\${{ env.Body }}"`,
        '        env:\n          Body: ${{ github.event.issue.body }} # all\n',
      )
      const result = await judged('R30', files)
      const mended = repaired(result, files)
      expect(mended[path]).toContain('          Body: ${{ github.event.issue.body }} # all\n')
      expect(mended[path]).toContain(`          ISSUE_TITLE: ${title}\n`)
      expect(mended[path]).toContain('a "${ISSUE_TITLE}" "${Body}"')
      expect((await judged('R30', mended)).outcome).toBe('PASS')
    })

    it.each([
      ['an argument that is code again', `bash -c "echo ${title}"`],
      ['a program that is given', `python3 -c "x('${title}')"`],
      ['a part of single quotes', `echo 'a ${title}'`],
      ['a heredoc', `cat <<E\n          ${title}\n          E`],
      ['the program itself', title],
      ['a comment', `# ${title}`],
      ['a script that no shell would take', `if "${title}"`],
    ])('R30: has none for %s', async (_, text) => {
      const { evidence } = await judged('R30', step(text))
      expect(evidence.map(({ outcome, fix }) => [outcome, fix])).toEqual([['FAIL', undefined]])
    })

    it.each([
      ['another shell', ci(`      - shell: python\n        run: |\n          x("${title}")\n`)],
      [
        'a runner of Windows',
        running(`echo "${title}"`, '', 'on: issues\njobs:\n  test:\n    runs-on: windows-2025\n'),
      ],
      ['escapes of YAML', ci(`      - run: "echo \\"${title}\\""\n`)],
      ['braces', ci(`      - { run: 'echo "${title}"' }\n`)],
    ])('R30: has none in %s', async (_, files) => {
      expect((await judged('R30', files)).evidence.map(({ fix }) => fix)).toEqual([undefined])
    })
  })
})

describe('R30 in what runs the steps', () => {
  const title = '${{ github.event.issue.title }}'
  const steps = '      - run: make\n'
  it.each([
    ['the shell of the job', `    defaults:\n      run:\n        shell: bash -c "${title}" {0}\n`, '7:25'],
    ['the shell, in flow style', `    defaults: { run: { shell: '${title} {0}' } }\n`, '5:32'],
    ['options of the container', `    container:\n      image: a\n      options: --cpus 1 ${title}\n`, '7:25'],
    ['options of a service', `    services:\n      db:\n        options: "${title}"\n`, '7:19'],
    [
      'through the matrix',
      `    strategy: { matrix: { s: ["${title}"] } }\n    defaults: { run: { shell: '\${{ matrix.s }}' } }\n`,
      '6:32',
    ],
  ])('R30: is broken by a title in %s', async (_, job, place) => {
    expect(places(await judged('R30', ci(steps, job)))).toEqual([`${path}:${place} FAIL`])
  })

  it.each([
    [
      'a shell by the matrix',
      '    strategy: { matrix: { s: [bash, pwsh] } }\n    defaults: { run: { shell: "${{ matrix.s }}" } }\n',
    ],
    ['options by a number', '    container: { image: a, options: "--name a-${{ github.run_id }}" }\n'],
    ['a container by its name alone', '    container: node:22\n'],
    ['a folder', `    defaults: { run: { working-directory: a, shell: bash } }\n`],
  ])('R30: holds with %s', async (_, job) => {
    expect(await found(ci(steps, job))).toEqual([])
  })

  it('R30: what a caller chooses on purpose is a doubt', async () => {
    const head = 'on: { workflow_call: { inputs: { o: { type: string } } } }\njobs:\n  test:\n    runs-on: x\n'
    const job = '    container: { image: a, options: "${{ inputs.o }}" }\n'
    expect(await found(ci(steps, job, head))).toEqual(['WARN low'])
  })
})
